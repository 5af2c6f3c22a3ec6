"""Settings of Weights & Biases, shared by everything that opens a run: nothing of the machine is sent."""

import shutil
from pathlib import Path
from typing import Any


def private_settings(finish_s: float | None = None, system: bool = False) -> Any:
    """Return `wandb.Settings` that send no machine data, code, git state, packages, logs or console output.

    Args:
        finish_s: seconds after which `finish` gives up an upload, where this wandb has such a limit.
        system: also record the use of processor, memory and GPU over time.
    """
    import wandb

    known = getattr(wandb.Settings, "model_fields", {})
    limits = {"finish_timeout": finish_s, "finish_timeout_raises": True}
    limits = {name: value for name, value in limits.items() if finish_s is not None and name in known}
    return wandb.Settings(
        **limits,
        console="off",
        disable_code=True,
        disable_git=True,
        save_code=False,
        symlink=False,
        silent=True,
        x_disable_stats=not system,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )


def drop_logs(folder: Path) -> None:
    """Remove W&B's own logs of all runs in `folder/wandb`: they name paths and hold no facts of the run."""
    for logs in folder.glob("wandb/*run-*/logs"):
        shutil.rmtree(logs, ignore_errors=True)
