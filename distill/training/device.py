"""Check that this machine has the device that a training asks for."""

import torch

from distill.errors import ConfigError
from distill.training.config import TrainerConfig


def require_device(config: TrainerConfig) -> None:
    """Refuse a device that is not there, before any face is read.

    Raises:
        ConfigError: torch finds no such device, or batch norms are synchronised without GPUs.
    """
    has_mps = torch.backends.mps.is_available()
    present = {"gpu": torch.cuda.is_available() or has_mps, "mps": has_mps}
    if not present.get(config.accelerator, True):
        raise ConfigError(f"--trainer.accelerator {config.accelerator}: torch finds none here; leave the option out")
    if config.sync_batchnorm and (config.accelerator in ("cpu", "mps") or not torch.cuda.is_available()):
        raise ConfigError("--trainer.sync_batchnorm needs GPUs: torch has no such batch norm for other devices")
