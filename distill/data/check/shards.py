"""Check of shards in bounded memory, one shard in each process: bytes, photos, points, leaks and near duplicates.

Near duplicates are searched between the faces that are tested on and all others; those among training faces do no harm
to a number, and a million faces have half a million million pairs.
"""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.box_sources import BOX_SOURCES
from distill.data.check.check import CheckOptions
from distill.data.check.columns import box_of
from distill.data.check.duplicates import LEAK, NEAR, NEAR_BITS, SAME, is_test, similar_pairs
from distill.data.check.face_hash import HASH_BITS, FaceHash, face_hash
from distill.data.check.finding import Finding, Report, SubsetCounts, worst_first
from distill.data.check.pairs import Hashes, close_pairs
from distill.data.check.points import find_coinciding, find_tiny
from distill.data.check.shape import find_odd_shapes
from distill.data.records import FaceRecord
from distill.data.shards.faces import ShardFaces, open_shards
from distill.data.shards.processes import map_in_processes
from distill.data.shards.rows import LABELS
from distill.errors import ConfigError, DistillError, suggest
from distill.files import sha256

Progress = Callable[[str, int], Callable[[], None]]

# Findings of one check that a shard reports; the others are counted.
_REPORTED = 20
_FACE = re.compile(r".+/(\d{6,})-(\d{6,})")
_AGAIN = "copy the shard again, or run `distill data pack` again"
_SPLIT = "name the test subsets (--test a+b), otherwise leaks are not checked"


@dataclass(frozen=True)
class _Task:
    root: Path
    shard: int
    smallest: float


class _Face(NamedTuple):
    root: Path
    position: int


class _Checked(NamedTuple):
    findings: list[Finding]
    hashes: NDArray[np.uint8]  # (n, HASH_BITS / 8); 0 where a face could not be read


def check_shards(root: Path, options: CheckOptions, progress: Progress) -> Report:
    """Check the shards of a folder or URL.

    Args:
        root: folder, or URL as a path.
        options: what to look for; `workers` are processes.
        progress: as of `check_data`.

    Raises:
        AnnotationError: no shards, or files of it are missing.
        ConfigError: no face is of a subset of `options.test`.
    """
    start = time.monotonic()
    _opened.cache_clear()  # of shards that were written again since
    faces = open_shards(root)
    tested = _tested(faces, options)
    count = len(faces.shards.rows)
    advance = progress("checking shards", count)
    findings: list[Finding] = []
    hashes = np.zeros((len(faces), HASH_BITS // 8), np.uint8)
    tasks = (_Task(root, shard, options.smallest) for shard in range(count))
    for shard, checked in enumerate(map_in_processes(_check_shard, tasks, options.workers)):
        findings += checked.findings
        first = int(faces.shards.starts[shard])
        hashes[first : first + len(checked.hashes)] = checked.hashes
        advance()
    if tested.any():
        findings += _few(faces, _leaks(faces, tested))
        findings += _few(faces, _near_duplicates(faces, hashes, tested, options.workers))
    else:
        findings.append(Finding("note", "leak", ".", "no subset is named as a test or validation set", _SPLIT))
    return Report(_count_subsets(faces), worst_first(findings), faces.data_hash(), time.monotonic() - start)


def _tested(faces: ShardFaces, options: CheckOptions) -> NDArray[np.bool_]:
    """Return which faces are tested on.

    Raises:
        ConfigError: no face is of one of the subsets that are named.
    """
    subsets, of_face = np.unique(faces.column("subset"), return_inverse=True)
    texts = [bytes(subset).decode() for subset in subsets]
    for name in options.test or ():
        if not any(is_test(text, [name]) for text in texts):
            raise ConfigError(f"--test {name}: no face is of such a subset: {suggest(name, texts)}")
    return np.array([is_test(text, options.test) for text in texts])[of_face]


@lru_cache(maxsize=1)
def _opened(root: Path) -> ShardFaces:
    """Return the shards of a folder; the files of the index are read once by a process."""
    return open_shards(root)


def _check_shard(task: _Task) -> _Checked:
    """Check the bytes of a shard, and each of its faces by itself."""
    faces = _opened(task.root)
    name = faces.shards.about["shards"][task.shard]["name"]
    digest = faces.shards.about["shards"][task.shard]["sha256"]
    first = int(faces.shards.starts[task.shard])
    records = list(faces[first : first + len(faces.shards.rows[task.shard])])
    findings = []
    if sha256(faces.shards.storage.path(name, digest)) != digest:
        findings.append(Finding("error", "damaged shard", name, "its SHA-256 is not that of shards.json", _AGAIN))
    hashes = np.zeros((len(records), HASH_BITS // 8), np.uint8)
    faults = list(_hash_faces(faces, records, hashes))
    for check in (faults, find_odd_shapes(records), find_coinciding(records), find_tiny(records, task.smallest)):
        findings += _few(faces, check)
    return _Checked(findings, hashes)


def _hash_faces(faces: ShardFaces, records: list[FaceRecord], hashes: NDArray[np.uint8]) -> Iterator[Finding]:
    """Fill in the perceptual hash of each face; yield those whose photo cannot be read."""
    for index, record in enumerate(records):
        try:
            hashed = face_hash(faces.read_photo(record), box_of(record))
        except DistillError as error:
            yield Finding("error", "broken photo", record.name, str(error), _AGAIN)
            continue
        if hashed is not None:
            hashes[index] = np.packbits(hashed.bits)


def _few(faces: ShardFaces, findings: Iterable[Finding]) -> list[Finding]:
    """Return the first findings of each check, with the names that the faces had before, and one that counts others."""
    checks: dict[str, list[Finding]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for finding in findings:
        key = f"{finding.severity} {finding.check}"
        counts[key] += 1
        if counts[key] <= _REPORTED:
            checks[key].append(replace(finding, file=_full_name(faces, finding.file)))
    for key, reported in checks.items():
        if counts[key] > _REPORTED:
            reported.append(replace(reported[-1], what=f"and {counts[key] - _REPORTED} more like these"))
    return [finding for reported in checks.values() for finding in reported]


def _full_name(faces: ShardFaces, name: str) -> str:
    """Return the name of a face with the one that it had before; findings of a whole shard name no face."""
    match = _FACE.fullmatch(name)
    if match is None:
        return name
    return faces.full_name(faces[int(faces.shards.starts[int(match[1])]) + int(match[2])])


def _leaks(faces: ShardFaces, tested: NDArray[np.bool_]) -> Iterator[Finding]:
    """Training faces whose group, or whose photo, is also on the test side."""
    groups = faces.column("group")
    for index in np.flatnonzero(~tested & np.isin(groups, groups[tested])):
        yield Finding("error", "leak", faces[int(index)].name, "its photo, person or video is on the test side", LEAK)
    photos = np.ascontiguousarray(faces.column("photo")).view("V32")[:, 0]
    for index in np.flatnonzero(~tested & np.isin(photos, photos[tested])):
        yield Finding("error", "same file", faces[int(index)].name, "the bytes of a photo of the test side", SAME)


def _near_duplicates(
    faces: ShardFaces, hashes: NDArray[np.uint8], tested: NDArray[np.bool_], workers: int
) -> Iterator[Finding]:
    """Training faces that look like a face of the test side of another group."""
    hashed = hashes.any(1)
    test, train = (np.flatnonzero(side & hashed) for side in (tested, ~tested))
    groups = faces.column("group")[:, None]
    pairs = close_pairs(Hashes(hashes[train], groups[train]), Hashes(hashes[test], groups[test]), NEAR_BITS)
    candidates = ((int(train[i]), int(test[j]), bits) for i, j, bits in pairs)
    root = faces.shards.storage.root
    for first, second, bits in similar_pairs(candidates, lambda index: _Face(root, index), _hash_of, workers):
        what = f"looks like {faces.full_name(faces[second])} ({bits} of {HASH_BITS} bits differ) of the test side"
        yield Finding("warning", "near duplicate, leaks", faces[first].name, what, NEAR)


def _hash_of(face: _Face) -> FaceHash | None:
    faces = _opened(face.root)
    record = faces[face.position]
    return face_hash(faces.read_photo(record), box_of(record))


def _count_subsets(faces: ShardFaces) -> dict[str, SubsetCounts]:
    """Return the counts of each subset by name, and of `all` last."""
    subsets = faces.column("subset")
    parts = {bytes(subset).decode(): faces.select(subsets == subset) for subset in np.unique(subsets)}
    return {name: _count(part) for name, part in [*parts.items(), ("all", faces)]}


def _count(faces: ShardFaces) -> SubsetCounts:
    boxes = faces.column("boxes")
    own = boxes[:, BOX_SOURCES.index("gt")]
    box = np.where(np.isnan(own), boxes[:, BOX_SOURCES.index("dataset")], own)
    sides = np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    sides = sides[~np.isnan(sides)]
    low, middle, high = (round(float(v), 1) for v in np.percentile(sides, (5, 50, 95))) if len(sides) else (0.0,) * 3
    known, visible = (int(np.unpackbits(faces.column(name)).sum()) for name in ("known", "visible"))
    labels = zip(*np.unique(faces.column("labels"), return_counts=True), strict=True)
    return SubsetCounts(
        faces=len(faces), photos=len(faces.photos()), groups=len(np.unique(faces.column("group"))),
        scheme=faces.scheme, labels=dict(sorted((LABELS[label], int(count)) for label, count in labels)),
        unmarked_points=int(faces.shards.rows[0]["points"].shape[1] * len(faces) - known),
        hidden_points=int(known - visible), face_px=(low, middle, high) if len(sides) else None,
    )  # fmt: skip
