"""Session of a training: its folder locked, its signals handled, and where it resumes from."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from distill.errors import ConfigError
from distill.locks import folder_lock
from distill.training.config import RunConfig
from distill.training.interrupt import StopRequest, TrainingInterrupted, stop_on_signal
from distill.training.loggers.csv import is_first_process
from distill.training.resume import checkpoint_to_resume, require_started


@dataclass(frozen=True)
class Session:
    """A training from its start to its end, or to a signal.

    Attributes:
        folder: of the run.
        resume_from: checkpoint to continue; None starts at step 0.
        stop: request of a signal.
    """

    folder: Path
    resume_from: Path | None
    stop: StopRequest


@contextmanager
def training_session(config: RunConfig) -> Iterator[Session]:
    """Own the folder of a run; a signal ends the context with one line that names `--resume`.

    Raises:
        ConfigError: the run exists and is not to be resumed, it was started with other options, or another process
            trains in its folder.
        CheckpointError: it is to be resumed and was never started.
        TrainingInterrupted: SIGINT or SIGTERM.
    """
    folder = config.runs / config.name
    _require_startable(folder, config)  # before anything is made
    lock = folder_lock(folder, "is training in") if is_first_process() else nullcontext()
    with stop_on_signal() as stop, lock:
        try:
            _require_startable(folder, config)  # again: another process may have trained in between
            yield Session(folder, checkpoint_to_resume(folder, config) if config.resume else None, stop)
        except TrainingInterrupted as interrupted:
            if is_first_process():
                print(_stopped(interrupted, folder), file=sys.stderr)
            raise


def _require_startable(folder: Path, config: RunConfig) -> None:
    if config.resume:
        require_started(folder, config)
    elif (folder / "last.ckpt").exists():
        raise ConfigError(f"{folder}: this run exists; continue it with --resume, or choose another --name")


def _stopped(interrupted: TrainingInterrupted, folder: Path) -> str:
    if (folder / "last.ckpt").is_file():
        return f"stopped by {interrupted.signal}: continue with --resume, from {folder / 'last.ckpt'}"
    if (folder / "config.yaml").is_file():
        return f"stopped by {interrupted.signal} before the first step: start {folder} again with --resume"
    return f"stopped by {interrupted.signal} before the training began: give the same command again, without --resume"
