"""Check that this machine has the devices that a training asks for."""

import os

import torch

from distill.errors import ConfigError
from distill.training.config import TrainerConfig

# What tells a process of those on other machines: set by torchrun, SLURM and LSF, or by hand, as Lightning reads it.
_LAUNCHERS = ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID", "LSB_JOBID", "MASTER_ADDR", "NODE_RANK", "GROUP_RANK")


def require_device(config: TrainerConfig) -> None:
    """Refuse devices that are not there, before any face is read.

    Raises:
        ConfigError: torch finds no such device or fewer of them, or batch norms are synchronised without GPUs,
            or several machines without a launcher.
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
    if config.num_nodes > 1 and not any(name in os.environ for name in _LAUNCHERS):
        # Lightning would wait for the others without end.
        raise ConfigError(
            f"--trainer.num_nodes {config.num_nodes} needs a launcher on every machine, such as torchrun or SLURM; "
            "leave it out to train on this one"
        )
