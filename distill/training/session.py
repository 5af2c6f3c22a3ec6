"""Session of a training: its folder locked, its signals handled, and where it resumes from."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from distill.errors import ConfigError
from distill.files import remove_unfinished
from distill.system.locks import folder_lock
from distill.system.processes import end_with_parent
from distill.training.compilation import require_compiler
from distill.training.config import RunConfig
from distill.training.device import require_device
from distill.training.interrupt import StopRequest, TrainingInterrupted, stop_on_signal
from distill.training.loggers.csv import is_first_process
from distill.training.loggers.trackers import require_trackers
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


def training_session(config: RunConfig) -> AbstractContextManager[Session]:
    """Own the folder of a run, as `own_session`.

    Raises:
        ConfigError: the run exists and is not to be resumed, it was started with other options, another process trains
            in its folder, this machine has no such device, or the package of a tracker is not installed.
        CheckpointError: it is to be resumed and was never started, or its last checkpoint cannot be loaded.
        TrainingInterrupted: SIGINT or SIGTERM.
    """
    require_device(config.trainer)
    require_compiler(config.trainer)
    if is_first_process():
        require_trackers(config)
    folder = config.runs / config.name
    started = partial(require_started, folder, config)
    return own_session(folder, config.resume, started, partial(checkpoint_to_resume, folder, config))


@contextmanager
def own_session(
    folder: Path, resume: bool, require_started: Callable[[], None], checkpoint: Callable[[], Path | None]
) -> Iterator[Session]:
    """Own the folder of a run; a signal ends the context with one line that names `--resume`.

    Args:
        folder: of the run.
        resume: continue it.
        require_started: raises unless it can be resumed; is called twice.
        checkpoint: returns the checkpoint to resume from.

    Raises:
        ConfigError: the run exists and is not to be resumed, or another process trains in its folder.
        TrainingInterrupted: SIGINT or SIGTERM.
    """

    def require_startable() -> None:
        if resume:
            require_started()
        elif (folder / "last.ckpt").exists():
            raise ConfigError(f"{folder}: this run exists; continue it with --resume, or choose another --name")

    require_startable()  # before anything is made
    if not is_first_process():
        end_with_parent()  # which would wait in a collective when the first process is gone
    lock = folder_lock(folder, "is training in") if is_first_process() else nullcontext()
    with stop_on_signal() as stop, lock:
        try:
            require_startable()  # again: another process may have trained in between
            if is_first_process():
                remove_unfinished(folder)
            yield Session(folder, checkpoint() if resume else None, stop)
        except TrainingInterrupted as interrupted:
            if not is_first_process():
                # All processes have agreed to stop. Lightning kills the first, which is still saving, where another
                # one ends with an error.
                raise SystemExit(0) from interrupted
            print(_stopped(interrupted, folder), file=sys.stderr)
            raise


def _stopped(interrupted: TrainingInterrupted, folder: Path) -> str:
    if (folder / "last.ckpt").is_file():
        return f"stopped by {interrupted.signal}: continue with --resume, from {folder / 'last.ckpt'}"
    if (folder / "config.yaml").is_file():
        return f"stopped by {interrupted.signal} before the first step: start {folder} again with --resume"
    return f"stopped by {interrupted.signal} before the training began: give the same command again, without --resume"
