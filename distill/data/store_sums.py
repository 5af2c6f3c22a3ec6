"""Checksums of a prepared store: SHA-256 of every file, written with it and compared when its faces are read.

`SHA256SUMS` in the store has the format of `sha256sum`. Stores of earlier versions have none.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from distill.data.records import FaceRecord
from distill.data.splits import photo_hash
from distill.errors import AnnotationError
from distill.files import CHECKSUMS, listed_hashes, write_text

LABEL = "store.json"
_ADVICE = "run `distill data prepare` with the options of the store again, or copy the store again"


def store_list(root: Path) -> Path | None:
    """Return the list of checksums of a folder, or None where it is no store or one of an earlier version."""
    path = root / CHECKSUMS
    return path if path.is_file() and (root / LABEL).is_file() else None


def write_store_list(root: Path, sums: Mapping[str, str]) -> None:
    """Write SHA-256 (hex) by file name relative to `root`."""
    write_text(root / CHECKSUMS, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))


def is_listed(path: Path, name: str, sums: Mapping[str, str]) -> bool:
    """Whether a file is there and has the checksum that is listed for it; without a list, any has."""
    return path.is_file() and (not sums or photo_hash(path) == sums.get(name))


def require_unchanged_annotations(root: Path) -> None:
    """Compare the manifest of a store and its schemes with its checksums; anything else than a store is accepted.

    Raises:
        AnnotationError: naming the first file that is gone or was changed.
    """
    path = store_list(root)
    sums = listed_hashes(path) if path is not None else {}
    _require(root, (name for name in sums if "/" not in name), sums)


def require_unchanged_photos(root: Path, records: Sequence[FaceRecord]) -> None:
    """Compare the photos of these faces of a store with its checksums; every photo is read once by a process.

    Raises:
        AnnotationError: naming the first file that was changed or that the list does not name.
    """
    path = store_list(root)
    if path is not None:
        names = dict.fromkeys(record.image.relative_to(root).as_posix() for record in records)
        _require(root, names, listed_hashes(path))


def _require(root: Path, names: Iterable[str], sums: Mapping[str, str]) -> None:
    for name in names:
        if name not in sums:
            raise AnnotationError(f"{root / name}: not in {CHECKSUMS} of the store; {_ADVICE}")
        if not is_listed(root / name, name, sums):
            raise AnnotationError(f"{root / name}: differs from {CHECKSUMS} of the store; {_ADVICE}")
