"""Run all checks of a data set folder."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.data.check.duplicates import find_group_leaks, find_near_duplicates, find_same_bytes, is_test
from distill.data.check.finding import Finding, Report, SubsetCounts, worst_first
from distill.data.check.hashes import compare_hashes, hash_folder, read_hashes, write_hashes
from distill.data.check.photos import PhotoFacts, scan_photos
from distill.data.check.points import (
    find_coinciding,
    find_outside,
    find_tiny,
    find_turned,
    find_unclear_orientation,
    find_unmarked,
)
from distill.data.check.shape import find_odd_shapes
from distill.data.check.tolerant import photos_below, read_all_sound
from distill.data.readers import FORMATS, require_root
from distill.data.records import FaceRecord
from distill.data.splits import data_hash
from distill.data.store_sums import store_list
from distill.errors import ConfigError, suggest

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
        workers: threads.
    """

    smallest: float = 32
    test: Sequence[str] | None = None
    hashes: Path | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"--workers {self.workers} must be at least 1")


def _silent(name: str, total: int) -> Callable[[], None]:
    del name, total
    return lambda: None


def _count(records: Sequence[FaceRecord]) -> SubsetCounts:
    boxes = [box for r in records if (box := r.boxes.get("gt") or r.boxes.get("dataset")) is not None]
    sides = [max(box.width, box.height) for box in boxes]
    low, middle, high = (round(float(v), 1) for v in np.percentile(sides, (5, 50, 95))) if sides else (0.0, 0.0, 0.0)
    return SubsetCounts(
        faces=len(records),
        photos=len({record.image for record in records}),
        groups=len({record.group for record in records}),
        scheme="+".join(sorted({Path(record.scheme).stem for record in records})),
        labels=dict(sorted(Counter(record.labels for record in records).items())),
        unmarked_points=int(sum((~record.known).sum() for record in records)),
        hidden_points=int(sum((record.known & ~record.visible).sum() for record in records)),
        face_px=(low, middle, high) if sides else None,
    )


def count_subsets(records: Sequence[FaceRecord]) -> dict[str, SubsetCounts]:
    """Return the counts of each subset by name, and of `all` last."""
    by_subset: dict[str, list[FaceRecord]] = defaultdict(list)
    for record in records:
        by_subset[record.subset].append(record)
    return {**{name: _count(faces) for name, faces in sorted(by_subset.items())}, "all": _count(records)}


def _broken_photos(facts: Mapping[Path, PhotoFacts], root: Path) -> Iterator[Finding]:
    for path, fact in facts.items():
        if fact.fault is not None:
            yield Finding("error", "broken photo", path.relative_to(root).as_posix(), fact.fault, _REPLACE)


def _unused_photos(photos: Sequence[Path], records: Sequence[FaceRecord], root: Path) -> Iterator[Finding]:
    """Photos without a face, counted by folder: there may be thousands."""
    used = {record.image for record in records}
    folders = Counter(path.parent.relative_to(root).as_posix() for path in photos if path not in used)
    for folder, count in sorted(folders.items()):
        yield Finding("note", "no annotation", folder, f"{count} photos have no face in this reading", _UNUSED)


def _names(records: Sequence[FaceRecord]) -> Iterator[Finding]:
    for name, count in Counter(record.name for record in records).items():
        if count > 1:
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
    root: Path, records: Sequence[FaceRecord], options: CheckOptions, progress: Progress
) -> Iterator[Finding]:
    photos = photos_below(root)
    test = options.test
    facts = scan_photos(photos, records, options.workers, progress("reading photos", len(photos)))
    yield from _broken_photos(facts, root)
    yield from _names(records)
    if records and not any(is_test(record.subset, test) for record in records):
        yield Finding("note", "leak", ".", "no subset is named as a test or validation set", _SPLIT)
    yield from find_group_leaks(records, test)
    yield from find_same_bytes(facts, records, root, test)
    yield from find_near_duplicates(facts, records, test)
    yield from find_turned(records)
    yield from find_unclear_orientation(facts, records)
    yield from find_outside(facts, records)
    yield from find_odd_shapes(records)
    yield from find_coinciding(records)
    yield from find_tiny(records, options.smallest)
    yield from find_unmarked(records)
    yield from _unused_photos(photos, records, root)


def check_data(
    format: str,
    root: Path,
    subsets: Sequence[str] | None = None,
    scheme: str | None = None,
    options: CheckOptions = CheckOptions(),
    progress: Progress = _silent,
) -> tuple[Report, list[FaceRecord]]:
    """Check the faces of a folder and every photo in it.

    Args:
        format: a name in `FORMATS`.
        root: folder of the data set.
        subsets: names as the format defines them; None for everything.
        scheme: scheme the points are in, for formats whose files do not define it.
        options: what to look for.
        progress: called with the name and length of each long step; returns what is called after each item.

    Returns:
        The report, and the faces that could be read.

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
    records, findings = read_all_sound(FORMATS[format], root, subsets, scheme)
    for name in options.test or ():
        if records and not any(is_test(record.subset, [name]) for record in records):
            present = sorted({record.subset for record in records})
            raise ConfigError(f"--test {name}: no face is of such a subset: {suggest(name, present)}")
    findings += _findings(root, records, options, progress)
    findings += _verify(root, options, progress)
    unread = {finding.file for finding in findings if finding.check == "broken photo"}
    whole = [record for record in records if record.image.relative_to(root).as_posix() not in unread]
    report = Report(
        subsets=count_subsets(records) if records else {},
        findings=worst_first(findings),
        data_hash=data_hash(whole) if whole else None,
        seconds=time.monotonic() - start,
    )
    return report, records
