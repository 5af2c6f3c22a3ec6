"""Publish several files of a folder at once: a new folder takes the place of the old one in one rename."""

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distill.errors import ConfigError
from distill.system.locks import NAME as LOCK

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class Staging:
    """A folder for files that are to appear in another one.

    Attributes:
        folder: where the files are written first.
        target: where they belong.
    """

    def __init__(self, folder: Path, target: Path):
        self.folder, self.target = folder, target

    def publish(self, statement: str) -> None:
        """Make the files appear in the target, where all other files stay.

        A reader finds the files of before or the new ones, also after a kill. Where the target cannot be replaced,
        because it holds folders, is the current folder or a mount point, or the system cannot exchange folders, files
        are moved one by one between the removal of the old statement and the appearance of the new one.

        Args:
            statement: file that describes all others.
        """
        if not (_can_be_replaced(self.target) and self._exchange()):
            self._move(statement)

    def _exchange(self) -> bool:
        """Exchange the folders; return whether the system can."""
        new = {path.name for path in self.folder.iterdir()}
        kept = [path for path in self.target.iterdir() if path.name not in new]
        try:
            for path in kept:
                os.link(path, self.folder / path.name, follow_symlinks=False)  # the lock too: it stays this process's
            self.folder.chmod(self.target.stat().st_mode)
            _exchange(self.folder, self.target)
        except OSError:
            for path in kept:
                (self.folder / path.name).unlink(missing_ok=True)
            return False
        for path in self.folder.iterdir():  # what somebody wrote there meanwhile
            if not (self.target / path.name).exists():
                path.rename(self.target / path.name)
        return True

    def _move(self, statement: str) -> None:
        (self.target / statement).unlink(missing_ok=True)
        for path in sorted(self.folder.iterdir(), key=lambda path: path.name == statement):
            path.replace(self.target / path.name)


@contextmanager
def staged(target: Path) -> Iterator[Staging]:
    """Yield a folder for files that belong in `target`, which exists and is locked by this process.

    It is removed at the end, and what a killed process left of it at the next call.

    Raises:
        ConfigError: nothing can be written there.
    """
    target = target.resolve()
    parent = target.parent if _can_be_replaced(target) else target
    prefix = f".{target.name}.staged-"
    for leftover in (*target.parent.glob(f"{prefix}*"), *target.glob(f"{prefix}*")):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written ({error.strerror}); choose another folder") from error
    with folder as name:
        files = Path(name, "files")  # permissions are set before it is moved
        files.mkdir()
        yield Staging(files, target)


def _can_be_replaced(folder: Path) -> bool:
    """Whether a folder holds plain files alone and another may take its place."""
    if folder.is_mount() or Path.cwd().is_relative_to(folder) or not os.access(folder.parent, os.W_OK):
        return False
    return all(path.is_file() or path.name == LOCK for path in folder.iterdir())


def _exchange(first: Path, second: Path) -> None:
    """Exchange two folders in one step.

    Raises:
        OSError: the system or the file system cannot.
    """
    call = None
    if sys.platform == "linux":
        with suppress(AttributeError):  # a C library before glibc 2.28
            call = ctypes.CDLL(None, use_errno=True).renameat2
    if call is None:
        raise OSError("no exchange of folders")
    if call(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
