"""Check that this machine has the devices that a training asks for."""

import torch

from distill.errors import ConfigError
from distill.training.config import TrainerConfig


def require_device(config: TrainerConfig) -> None:
    """Refuse devices that are not there, before any face is read.

    Raises:
        ConfigError: torch finds no such device or fewer of them, or batch norms are synchronised without GPUs.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = int(torch.backends.mps.is_available())
    present = {"gpu": gpus or mps, "mps": mps, "auto": gpus or mps}.get(config.accelerator)
    if present == 0 and config.accelerator != "auto":
        raise ConfigError(f"--trainer.accelerator {config.accelerator}: torch finds none here; leave the option out")
    if present and config.devices > present:
        raise ConfigError(f"--trainer.devices {config.devices}: torch finds {present} here; give at most {present}")
    if config.sync_batchnorm and (config.accelerator in ("cpu", "mps") or not gpus):
        raise ConfigError("--trainer.sync_batchnorm needs GPUs: torch has no such batch norm for other devices")
