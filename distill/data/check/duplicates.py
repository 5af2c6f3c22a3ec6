"""Duplicates and split leakage: identical files, shared groups (photo, person, video) and near duplicates."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from distill.data.check.columns import FaceColumns, box_of
from distill.data.check.face_hash import FaceHash, face_hash
from distill.data.check.finding import Finding
from distill.data.check.pairs import Hashes, close_pairs
from distill.data.check.photos import Photos
from distill.data.presets import SUBSET_NAMES
from distill.data.records import FaceRecord
from distill.data.shards.processes import map_in_processes
from distill.geometry import Box
from distill.images import read_image

Task = TypeVar("Task")
Pair = tuple[int, int, int]

# Both must hold. Of the 127 pairs listed with 300-W they find 92 %, and 750 studio portraits of 150 people (MUCT), who
# look more alike than any photos from the web, give two false pairs.
NEAR_BITS = 60
NEAR_DETAIL = 0.25

# Faces whose details are compared at a time, 4 kB each, and so many that a further process is worth its start.
_TOGETHER = 4096
_PER_PROCESS = 256

LEAK = "leave it out of training: give the test faces as such, and faces of their groups are left out"
SAME = "keep one of the two, or give both the same group"
NEAR = "compare the two; if it is one photo, give both the same group (300-W: near_duplicates.csv)"
_TEST_WORDS = (*SUBSET_NAMES["test"], *SUBSET_NAMES["val"])


def is_test(subset: str, named: Sequence[str] | None) -> bool:
    """Whether a subset is for testing: named so by the user, else by a word in its name, such as `helen/testset`."""
    if named is not None:
        return any(subset == name or subset.startswith(f"{name}/") for name in named)
    words = subset.lower().replace("set", "").replace("/", " ").replace("_", " ").replace("-", " ").split()
    return any(word in _TEST_WORDS for word in words)


def tested_faces(columns: FaceColumns, named: Sequence[str] | None) -> NDArray[np.bool_]:
    """Return (n,) whether a face is of a subset for testing."""
    return np.array([is_test(subset, named) for subset in columns.subsets], bool)[columns["subset"]]


def find_group_leaks(
    columns: FaceColumns, records: Sequence[FaceRecord], tested: NDArray[np.bool_]
) -> Iterator[Finding]:
    """Training faces whose group (photo, person, video) is also in a test subset."""
    faces = np.flatnonzero(tested)
    groups, first = np.unique(columns["group"][faces], return_index=True)
    for index in np.flatnonzero(~tested & np.isin(columns["group"], groups)):
        record = records[int(index)]
        test = records[int(faces[first[np.searchsorted(groups, columns["group"][index])]])]
        what = f"same photo, person or video ('{record.group}') as {test.name} of the test side"
        yield Finding("error", "leak", record.name, what, LEAK)


def find_same_bytes(photos: Photos, columns: FaceColumns, root: Path, tested: NDArray[np.bool_]) -> Iterator[Finding]:
    """Different files with the same content; an error where one is tested on and the other is not."""
    side = np.full(len(photos), -1)
    side[photos.positions(columns["image"])] = tested  # the last face of a photo decides
    digests = photos.sha256.view("V32")[:, 0]
    _, first, inverse, counts = np.unique(digests, return_index=True, return_inverse=True, return_counts=True)
    readable = photos.sha256.any(1)
    copies = np.flatnonzero((counts[inverse] > 1) & readable)
    originals = first[inverse[copies]]
    for original, other in sorted(zip(originals.tolist(), copies.tolist(), strict=True)):
        if original == other:
            continue
        leaks = {int(side[original]), int(side[other])} == {0, 1}
        same = _below(Path(photos.paths[original]), root)
        what = f"the same bytes as {same}" + (", on the other side of the split" if leaks else "")
        other_path = _below(Path(photos.paths[other]), root)
        yield Finding("error" if leaks else "warning", "same file", other_path, what, SAME)


class _Face(NamedTuple):
    image: Path
    box: Box | None


def find_near_duplicates(
    photos: Photos, columns: FaceColumns, records: Sequence[FaceRecord], hashes: NDArray[np.uint8],
    tested: NDArray[np.bool_], workers: int,
) -> Iterator[Finding]:  # fmt: skip
    """Near-duplicate faces that belong to different groups."""
    image = photos.positions(columns["image"])
    hashed = np.flatnonzero(~np.isnan(columns["box"][:, 0]) & ~photos.broken[image])
    _, content = np.unique(photos.sha256.view("V32")[:, 0], return_inverse=True)
    kinds = np.stack([columns["group"][hashed], content[image[hashed]].astype(np.uint64)], 1)
    pairs = close_pairs(Hashes(hashes[hashed], kinds), None, NEAR_BITS)

    def face_of(index: int) -> _Face:
        record = records[index]
        return _Face(record.image, box_of(record))

    candidates = ((int(hashed[i]), int(hashed[j]), bits) for i, j, bits in pairs)
    for i, j, bits in similar_pairs(candidates, face_of, _hash_of, workers):
        sides = bool(tested[i]), bool(tested[j])
        first, second = records[i], records[j]
        trained, other = (second, first) if sides == (True, False) else (first, second)
        leaks = sides[0] != sides[1]
        what = f"looks like {other.name} ({bits} of 256 bits differ)" + (" of the test side" if leaks else "")
        yield Finding("warning", "near duplicate, leaks" if leaks else "near duplicate", trained.name, what, NEAR)


def _hash_of(face: _Face) -> FaceHash | None:
    return face_hash(read_image(face.image), face.box)


def similar_pairs(
    pairs: Iterator[Pair], task_of: Callable[[int], Task], hash_task: Callable[[Task], FaceHash | None], workers: int
) -> Iterator[Pair]:
    """Yield those of the pairs (i, j, differing bits) whose faces are alike in their details as well.

    Args:
        pairs: candidates.
        task_of: returns what `hash_task` needs of a face.
        hash_task: returns the hash of a face; it runs in other processes.
        workers: processes at most.
    """
    while True:
        faces: dict[int, None] = {}
        batch: list[Pair] = []
        for pair in pairs:
            batch.append(pair)
            faces.update(dict.fromkeys(pair[:2]))
            if len(faces) >= _TOGETHER:
                break
        if not batch:
            return
        processes = max(1, min(workers, len(faces) // _PER_PROCESS))
        hashes = dict(zip(faces, map_in_processes(hash_task, map(task_of, faces), processes), strict=True))
        for i, j, bits in batch:
            first, second = hashes[i], hashes[j]
            if first is not None and second is not None and 1 - float(first.detail @ second.detail) <= NEAR_DETAIL:
                yield i, j, bits


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
