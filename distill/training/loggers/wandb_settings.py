"""What Weights & Biases is told of the machine: nothing. Shared by everything that opens a run."""

import shutil
from pathlib import Path
from typing import Any


def private_settings() -> Any:
    """Return `wandb.Settings` that keep machine data, code, git state, packages, logs and console output at home."""
    import wandb

    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        save_code=False,
        symlink=False,
        silent=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )


def drop_logs(folder: Path) -> None:
    """Remove W&B's own logs of all runs in `folder/wandb`: they name paths and say nothing about the run."""
    for logs in folder.glob("wandb/*run-*/logs"):
        shutil.rmtree(logs, ignore_errors=True)
