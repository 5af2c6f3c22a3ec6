"""Atomic file writing (a temporary file beside the target, flushed, then renamed), hashes, and the cache folder."""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from distill.errors import CheckpointError, ConfigError

CHECKSUMS = "SHA256SUMS"
# Of trained weights, which PyTorch runs: of a run, and released.
CHECKPOINT_SUFFIXES = (".ckpt", ".safetensors")

# Errors of the file system that a user can do something about.
NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
_FULL = 1 << 16  # bytes; below that a file system has no room for a file of any use
# What `tempfile.mkstemp` makes of `.STEM.tmp-` and the suffix.
_TEMPORARY = re.compile(r"\.(.+)\.tmp-[a-z0-9_]{8}(?:\.[^.]*)?")


def cache_folder() -> Path:
    """Return where downloads are kept: `DISTILL_CACHE`, else `distill` in the user's cache folder."""
    own = os.environ.get("DISTILL_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base) / "distill"


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; on success it becomes `path`, on failure it disappears.

    The temporary file keeps the suffix of `path` because many writers choose their format by it. What a kill leaves
    of it is removed by `remove_unfinished`.

    Raises:
        ConfigError: no file can be written there, or the disk is full.
    """
    path = Path(path)
    temporary, handle = _beside(path)
    try:
        with writing(path):
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            # mkstemp makes files private to the user; give them the permissions an ordinary write would have.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn a full or read-only disk inside the context into one line that names the file.

    Raises:
        ConfigError: it is.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NOT_WRITABLE:
            raise
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); what was there before is kept") from error
    except RuntimeError as error:
        # torch's writer reports a full disk as an error of its own, without the reason.
        if not _is_full(Path(path).parent):
            raise
        reason = os.strerror(errno.ENOSPC)
        raise ConfigError(f"{path}: cannot be written ({reason}); what was there before is kept") from error


def _is_full(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free < _FULL


def remove_unfinished(folder: str | Path, stem: str | None = None) -> None:
    """Remove temporary files of `atomic_path` that a killed process left in a folder; those in use stay.

    Args:
        folder: may be missing.
        stem: name without suffix of the file that was to be written; any by default.
    """
    if fcntl is None or not Path(folder).is_dir():
        return
    for path in Path(folder).iterdir():
        match = _TEMPORARY.fullmatch(path.name)
        if match is None or stem not in (None, match[1]):
            continue
        with suppress(OSError):  # in use, removed by another process meanwhile, or not ours to remove
            handle = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(handle)


def _beside(path: Path) -> tuple[Path, int]:
    """Make an empty file in the folder of `path`; return it with a descriptor that holds its lock."""
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        if path.parent.is_file():
            raise NotADirectoryError(20, "its folder is a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.tmp-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); name a file in another folder") from error
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks: then a leftover stays
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Path(name), handle


def require_writable(*paths: Path | None) -> None:
    """Check that files can be written at these paths before a long computation starts; None is skipped.

    What a killed process left of them is removed.

    Raises:
        ConfigError: naming the first of them.
    """
    for path in paths:
        if path is not None:
            temporary, handle = _beside(path)
            temporary.unlink()
            os.close(handle)
            remove_unfinished(path.parent, path.stem)


def short_names(paths: Iterable[str | Path]) -> list[str]:
    """Return the files' names, with as many of their folders as it takes to tell them apart.

    Raises:
        ConfigError: the same file twice.
    """
    every = [Path(path) for path in paths]
    twice = {str(path) for path in every if every.count(path) > 1}
    if twice:
        raise ConfigError(f"{min(twice)}: given twice; name each file once")
    names = []
    for path in every:
        depth = 1
        while any(other != path and other.parts[-depth:] == path.parts[-depth:] for other in every):
            depth += 1
        names.append("/".join(path.parts[-depth:]))
    return names


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def copy_file(source: str | Path, target: str | Path) -> None:
    """Copy a file to `target` atomically."""
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def write_text(path: str | Path, content: str) -> None:
    """Write `content` to `path` atomically, as UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` to `path` atomically as indented JSON; NaN is refused because it is not valid JSON."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_regular(path: str | Path) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: missing, unreadable, or a pipe or device: opening the one may wait and reading the other may not end.
    """
    require_regular(path)
    return Path(path).read_bytes()


def require_regular(path: str | Path) -> None:
    """Check that a path is a file, or a folder, which cannot be opened anyway.

    Raises:
        OSError: missing, or a pipe or device.
    """
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "a pipe or device, not a file", str(path))


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as hex."""
    digest = hashlib.sha256()  # hashlib.file_digest needs Python 3.11; contest hosts run 3.10
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def require_listed_hash(path: str | Path) -> None:
    """Compare a file with the list `SHA256SUMS` in its folder, which has the format of `sha256sum`.

    A file that no list names is accepted.

    Raises:
        CheckpointError: the list states another SHA-256 for this name.
    """
    path = Path(path)
    listed = listed_hashes(path.parent / CHECKSUMS).get(path.name)
    if listed is not None and sha256(path) != listed.lower():
        raise CheckpointError(
            f"{path}: SHA-256 differs from the one in {CHECKSUMS}; the file was changed or replaced, copy it again"
        )


def listed_hashes(path: Path) -> dict[str, str]:
    """Return SHA-256 by file name; empty where there is no readable list."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.split(maxsplit=1) for line in lines)
    return {pair[1].lstrip("*").strip(): pair[0] for pair in pairs if len(pair) == 2}
