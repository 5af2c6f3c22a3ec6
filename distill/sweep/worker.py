"""Child process that trains one trial, in a folder of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from distill.errors import ConfigError
from distill.files import write_text
from distill.system.locks import folder_lock
from distill.system.processes import ending_with_parent

OPTIONS, LOG = "trial.yaml", "training.log"
# Seconds that a training which was signalled to stop may take to save its last step.
_SAVING_S = 120.0


@dataclass
class Worker:
    """A running trial.

    Attributes:
        trial: of Optuna.
        folder: of its run.
        process: that trains.
        slot: number of the worker, from 0.
        pruned: whether it was stopped early.
    """

    trial: Any
    folder: Path
    process: subprocess.Popen[bytes]
    slot: int
    pruned: bool = False

    def stop(self) -> None:
        """Signal the training to save its last step and end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)


def start(
    trial: Any, folder: Path, command: str, recipes: Sequence[str], content: Mapping[str, Any],
    slot: int, environment: Mapping[str, str],
) -> Worker:  # fmt: skip
    """Start the training of a trial, or continue it where it has begun.

    Args:
        trial: of Optuna.
        folder: of its run.
        command: `teacher`, `student` or `detector`.
        recipes: files or names.
        content: options over the recipes.
        slot: number of the worker.
        environment: variables beside those of this process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _wait_until_free(folder)
    if (folder / "config.yaml").is_file():
        # It holds all options, also of recipes that were changed since.
        words = ["--config", str(folder / "config.yaml"), "--resume"]
    else:
        write_text(folder / OPTIONS, yaml.safe_dump(dict(content), sort_keys=False))
        words = [word for name in (*recipes, str(folder / OPTIONS)) for word in ("--config", name)]
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            ending_with_parent([sys.executable, "-m", "distill", command, *words], signal.SIGTERM),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environment},
            start_new_session=True,  # a terminal signals the sweep alone, which passes it on
        )  # fmt: skip
    return Worker(trial, folder, process, slot)


def _wait_until_free(folder: Path) -> None:
    """Wait for the training of a sweep that was killed: it saves its last step.

    Raises:
        ConfigError: another process goes on training there.
    """
    until = time.monotonic() + _SAVING_S
    while True:
        try:
            with folder_lock(folder, "is training in"):
                return
        except ConfigError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def failure(worker: Worker) -> str:
    """Return in one line why a training failed."""
    status = worker.process.returncode
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    lines = (worker.folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    last = (errors or [line for line in lines if line.strip()] or ["no output"])[-1]
    return f"{last.removeprefix('error: ')[:300]} (status {status})"
