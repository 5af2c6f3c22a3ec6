"""Damaged copies of released files, recognised under any name by the parts of them that are whole.

The list `SHA256SUMS` and the sidecars lie beside the released files and do not follow every copy, and weights released
before their format had a checksum cannot be given one without changing the file. `released_files.csv` has the size,
the SHA-256 and short hashes of the parts of each file.
"""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from distill.errors import CheckpointError
from distill.files import sha256

TABLE = Path(__file__).with_name("released_files.csv")
_COLUMNS = ("file", "bytes", "sha256", "parts")
_PIECES = 16
# Whole parts from which on a file is a copy, not another network of the same size. Released networks of the same
# architecture have the header in common, and none of the sixteen pieces of their TFLite files.
_COPIED_PIECES = 2
_COPIED_PARTS = 1
_SHORT = 8  # hexadecimal digits of the hash of a part
_WEIGHTS = ".safetensors"


@dataclass(frozen=True)
class ReleasedFile:
    """A released file.

    Attributes:
        file: its name.
        bytes: its size.
        sha256: of the file.
        parts: short hashes, of `file_parts`.
    """

    file: str
    bytes: int
    sha256: str
    parts: tuple[str, ...]


def file_parts(content: bytes, suffix: str) -> tuple[str, ...]:
    """Return short hashes of the parts of a file: header and tensors of safetensors, sixteen pieces of others."""
    if suffix == _WEIGHTS:
        cuts = [0, min(8 + int.from_bytes(content[:8], "little"), len(content)), len(content)]
    else:
        cuts = [len(content) * piece // _PIECES for piece in range(_PIECES + 1)]
    pieces = (content[first:last] for first, last in pairwise(cuts))
    return tuple(hashlib.sha256(piece).hexdigest()[:_SHORT] for piece in pieces)


def require_undamaged_release(path: str | Path) -> None:
    """Refuse a file that is a damaged copy of a released one: its size, and its name or some of its parts.

    Under another name, weights are recognised by their header or all of their tensors, other files by two of sixteen
    pieces. With more damage nothing of the file is left that tells it from another network of the same architecture.
    Files cut short are not recognised here; no reader takes them.

    Raises:
        CheckpointError: it is.
    """
    path = Path(path)
    size = path.stat().st_size
    alike = [file for file in released_files() if file.bytes == size and Path(file.file).suffix == path.suffix]
    if not alike or sha256(path) in {file.sha256 for file in alike}:
        return
    parts = file_parts(path.read_bytes(), path.suffix)
    copied = _COPIED_PARTS if path.suffix == _WEIGHTS else _COPIED_PIECES
    for file in alike:
        same = sum(own == released for own, released in zip(parts, file.parts, strict=True))
        if file.file == path.name or same >= copied:
            raise CheckpointError(f"{path}: SHA-256 differs from that of the released {file.file}; copy it again")


@cache
def released_files() -> tuple[ReleasedFile, ...]:
    """Return all released files of the table."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return tuple(
        ReleasedFile(row["file"], int(row["bytes"]), row["sha256"], tuple(row["parts"].split())) for row in rows
    )


def table_of(paths: Iterable[Path]) -> str:
    """Return the content of the table for these files."""
    rows: list[Sequence[object]] = [_COLUMNS]
    for path in sorted(paths, key=lambda path: path.name):
        content = path.read_bytes()
        parts = " ".join(file_parts(content, path.suffix))
        rows.append((path.name, len(content), hashlib.sha256(content).hexdigest(), parts))
    return "".join(",".join(map(str, row)) + "\n" for row in rows)
