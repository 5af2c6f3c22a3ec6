"""Run all checks of a data set folder."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from distill.data.check.columns import FaceColumns, find_repeated
from distill.data.check.duplicates import find_group_leaks, find_near_duplicates, find_same_bytes, tested_faces
from distill.data.check.finding import Finding, Report, worst_first
from distill.data.check.hashes import compare_hashes, hash_folder, read_hashes, write_hashes
from distill.data.check.photos import Photos, photos_below, scan_photos
from distill.data.check.points import (
    find_coinciding,
    find_outside,
    find_tiny,
    find_turned,
    find_unclear_orientation,
    find_unmarked,
)
from distill.data.check.shape import find_odd_shapes
from distill.data.check.tolerant import read_sound
from distill.data.readers import FORMATS, require_root
from distill.data.records import FaceRecord
from distill.data.spilled import Selected
from distill.data.splits import data_hash
from distill.data.store_sums import store_list
from distill.errors import ConfigError, suggest
from distill.system.processes import cores

Progress = Callable[[str, int], Callable[[], None]]

_REPLACE = "copy or download it again, or remove it with its points"
_UNUSED = "nothing to do, or annotate them"
_NAME = "give each face a name of its own"
_SPLIT = "name the test subsets (--test a+b), otherwise leaks are not checked"


@dataclass(frozen=True)
class CheckOptions:
    """What to look for.

    Attributes:
        smallest: a longer side of the face box below this many pixels is a tiny face.
        test: subsets that are tested on; None takes those with `test` or `val` in their names.
        hashes: list of SHA-256 sums, verified if it exists, else written; None: that of a prepared store is verified.
        workers: processes that read photos; a small data set takes fewer.
    """

    smallest: float = 32
    test: Sequence[str] | None = None
    hashes: Path | None = None
    workers: int = field(default_factory=cores)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"--workers {self.workers} must be at least 1")


def _silent(name: str, total: int) -> Callable[[], None]:
    del name, total
    return lambda: None


def _broken_photos(photos: Photos, root: Path) -> Iterator[Finding]:
    for index, fault in sorted(photos.faults.items()):
        yield Finding("error", "broken photo", _below(photos.paths[index], root), fault, _REPLACE)


def _unused_photos(photos: Photos, columns: FaceColumns, root: Path, faulty: AbstractSet[Path]) -> Iterator[Finding]:
    """Photos without a face, counted by folder: there may be thousands. `faulty` are photos of faces with faults."""
    unused = np.ones(len(photos), bool)
    unused[photos.positions(columns["image"])] = False
    unused[[index for index, path in enumerate(photos.paths) if Path(path) in faulty] if faulty else []] = False
    folders = Counter(_below(str(Path(photos.paths[index]).parent), root) for index in np.flatnonzero(unused))
    for folder, count in sorted(folders.items()):
        yield Finding("note", "no annotation", folder, f"{count} photos have no face in this reading", _UNUSED)


def _below(path: str, root: Path) -> str:
    return Path(path).relative_to(root).as_posix()


def _names(columns: FaceColumns, records: Sequence[FaceRecord]) -> Iterator[Finding]:
    for name, count in find_repeated(columns, records):
        yield Finding("error", "same name", name, f"{count} faces have this name", _NAME)


def _verify(root: Path, options: CheckOptions, progress: Progress) -> list[Finding]:
    path = options.hashes or store_list(root)
    if path is None:
        return []
    wanted = read_hashes(path) if path.is_file() else None
    actual = hash_folder(root, path, options.workers, progress("hashing", 0))
    if wanted is None:
        write_hashes(path, actual)
        return [Finding("note", "hash list", path.name, f"written, {len(actual)} files", "keep it")]
    return list(compare_hashes(wanted, actual))


def _findings(
    root: Path, records: Sequence[FaceRecord], columns: FaceColumns, photos: Photos, options: CheckOptions,
    progress: Progress,
) -> Iterator[Finding]:  # fmt: skip
    hashes = scan_photos(photos, columns, options.workers, progress("reading photos", len(photos)))
    tested = tested_faces(columns, options.test)
    yield from _broken_photos(photos, root)
    yield from _names(columns, records)
    if len(records) and not tested.any():
        yield Finding("note", "leak", ".", "no subset is named as a test or validation set", _SPLIT)
    yield from find_group_leaks(columns, records, tested)
    yield from find_same_bytes(photos, columns, root, tested)
    yield from find_near_duplicates(photos, columns, records, hashes, tested, options.workers)
    yield from find_turned(records)
    yield from find_unclear_orientation(photos, records)
    yield from find_outside(photos, records)
    yield from find_odd_shapes(records)
    yield from find_coinciding(records)
    yield from find_tiny(records, options.smallest)
    yield from find_unmarked(records)


def check_data(
    format: str,
    root: Path,
    subsets: Sequence[str] | None = None,
    scheme: str | None = None,
    options: CheckOptions = CheckOptions(),
    progress: Progress = _silent,
) -> tuple[Report, Sequence[FaceRecord]]:
    """Check the faces of a folder and every photo in it.

    Args:
        format: a name in `FORMATS`.
        root: folder of the data set.
        subsets: names as the format defines them; None for everything.
        scheme: scheme the points are in, for formats whose files do not define it.
        options: what to look for.
        progress: called with the name and length of each long step; returns what is called after each item.

    Returns:
        The report, and the faces that could be read; of those beyond 20,000 each is made when it is accessed.

    Raises:
        ConfigError: unknown format or a scheme that does not fit.
        AnnotationError: no such folder, or a broken list of hashes.
    """
    start = time.monotonic()
    if format not in FORMATS:
        raise ConfigError(f"unknown data format '{format}': {suggest(format, list(FORMATS))}")
    require_root(root, format)
    for name in options.test or ():
        if not name:
            raise ConfigError("a test subset without name: write names joined by '+'")
    sound = read_sound(format, root, subsets, scheme)
    records, findings = sound.faces, sound.findings
    columns = FaceColumns(records)
    for name in options.test or ():
        if len(records) and not tested_faces(columns, [name]).any():
            raise ConfigError(f"--test {name}: no face is of such a subset: {suggest(name, sorted(columns.subsets))}")
    photos = Photos({*photos_below(root), *(str(record.image) for record in records)})
    findings += _findings(root, records, columns, photos, options, progress)
    if sound.complete:
        findings += _unused_photos(photos, columns, root, sound.photos)
    findings += _verify(root, options, progress)
    whole = Selected(records, np.flatnonzero(~photos.broken[photos.positions(columns["image"])]))
    report = Report(
        subsets=columns.counts() if len(records) else {},
        findings=worst_first(findings),
        data_hash=data_hash(whole, lambda path: photos[path].sha256.hex()) if len(whole) else None,
        seconds=time.monotonic() - start,
    )
    return report, records
