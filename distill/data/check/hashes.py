"""SHA-256 list of a folder, to detect changed, missing or added files.

The format is that of `sha256sum`, so `cd DIR && sha256sum -c LIST` checks it without this package.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from distill.data.check.finding import Finding
from distill.errors import AnnotationError
from distill.files import read_regular, sha256, write_text

_LINE = re.compile(r"(?P<sha>[0-9a-f]{64})  (?P<path>.+)")
_CHANGED = "copy it again from the source, or delete the list to make a new one"


def hash_folder(
    root: Path, leave_out: Path, workers: int = 2, progress: Callable[[], None] | None = None
) -> dict[str, str]:
    """Return the SHA-256 of every file below `root` by relative path, without hidden files and `leave_out`."""
    skipped = leave_out.resolve()
    files = sorted(p for p in root.rglob("*") if p.is_file() and not p.name.startswith(".") and p.resolve() != skipped)

    def hash_file(path: Path) -> str:
        digest = sha256(path)
        if progress is not None:
            progress()
        return digest

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip((path.relative_to(root).as_posix() for path in files), pool.map(hash_file, files), strict=True))


def write_hashes(path: Path, sums: Mapping[str, str]) -> None:
    """Write the list, atomically."""
    write_text(path, "".join(f"{digest}  {name}\n" for name, digest in sums.items()))


def read_hashes(path: Path) -> dict[str, str]:
    """Read a list; raises AnnotationError when it is not one."""
    try:
        lines = read_regular(path).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path}: not a list of SHA-256 sums ({error}); delete it to make a new one") from error
    sums = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise AnnotationError(f"{path}: line {number} is not 'SHA-256  path'; delete the list to make a new one")
        sums[match["path"]] = match["sha"]
    return sums


def compare_hashes(wanted: Mapping[str, str], actual: Mapping[str, str]) -> Iterator[Finding]:
    """Changed and lost files are errors, added ones warnings."""
    for name, digest in wanted.items():
        if name not in actual:
            yield Finding("error", "hash list", name, "is gone", _CHANGED)
        elif actual[name] != digest:
            yield Finding("error", "hash list", name, "has changed since the list was made", _CHANGED)
    for name in actual:
        if name not in wanted:
            yield Finding("warning", "hash list", name, "is not in the list", _CHANGED)
