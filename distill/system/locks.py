"""Lock on a folder: one process at a time writes there."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distill.errors import ConfigError

NAME = ".lock"


@contextmanager
def folder_lock(folder: Path, activity: str, option: str = "--name") -> Iterator[None]:
    """Hold the lock of a folder; the system releases it when the process ends, in whatever way.

    A record lock belongs to the process alone: workers forked from it do not keep it. The file and folders made for it
    disappear with the lock where nothing else was written.

    Args:
        folder: is made if it does not exist.
        activity: of the holder, for the message: "process 12 ACTIVITY this folder".
        option: that chooses another folder, for the message.

    Raises:
        ConfigError: another process holds it, or the folder cannot be written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        handle = _acquire(folder, activity, option)
        try:
            yield
        finally:
            _release(handle, folder)
    finally:
        for path in made:
            with suppress(OSError):  # not empty, or removed by another process
                path.rmdir()


def _acquire(folder: Path, activity: str, option: str) -> int:
    """Return the descriptor of the locked file, which holds the number of this process."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip() or "of unknown number"
            os.close(handle)
            raise ConfigError(
                f"{folder}: process {holder} {activity} this folder; wait for it, stop it, or choose another {option}"
            ) from error
        if _is_current(handle, folder / NAME):
            try:
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            except OSError as error:
                _release(handle, folder)
                raise ConfigError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
            return handle
        os.close(handle)  # the holder before removed this file between the opening and the lock


def _release(handle: int, folder: Path) -> None:
    """Remove the file while the lock is held, so that no file of another process is removed, and give the lock back."""
    (folder / NAME).unlink(missing_ok=True)
    os.close(handle)


def _is_current(handle: int, path: Path) -> bool:
    return path.exists() and os.fstat(handle).st_ino == path.stat().st_ino
