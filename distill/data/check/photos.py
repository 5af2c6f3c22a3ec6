"""One pass over the photos in several processes: each is read once, decoded whole, and its faces are hashed."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.check.columns import FaceColumns, number_of
from distill.data.check.face_hash import HASH_BITS, face_hash
from distill.data.readers.tables import PHOTO_SUFFIXES
from distill.data.shards.processes import map_in_processes
from distill.errors import ImageError
from distill.files import read_regular
from distill.geometry import Box
from distill.images import Layout, decode_image, image_layout

# Photos of one task, and so many tasks that a further process is worth its start.
_TOGETHER = 32
_PER_PROCESS = 8


class PhotoFacts(NamedTuple):
    """Facts of one photo file.

    Attributes:
        sha256: of its bytes; empty where it cannot be read.
        size: (width, height), None where it cannot be decoded.
        layout: size and orientation in its header, None where it cannot be decoded.
        fault: why it cannot be read or decoded.
    """

    sha256: bytes
    size: tuple[int, int] | None = None
    layout: Layout | None = None
    fault: str | None = None


class _Task(NamedTuple):
    paths: Sequence[str]
    boxes: Sequence[NDArray[np.float64]]  # of each photo, (faces, 4)


class _Read(NamedTuple):
    facts: PhotoFacts
    bits: NDArray[np.uint8]  # (faces, HASH_BITS / 8)


class Photos(Mapping[Path, PhotoFacts]):
    """Facts of the photos of a data set by path, sorted; as arrays, about 200 bytes a photo.

    Attributes:
        paths: of the photos.
        sha256: (n, 32) of their bytes, 0 where they cannot be read.
        faults: by position in `paths`.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = sorted(paths, key=lambda path: path.split("/"))
        self.sha256 = np.zeros((len(self.paths), 32), np.uint8)
        self.faults: dict[int, str] = {}
        self._sizes = np.zeros((len(self.paths), 5), np.int32)  # width, height, stored width, height, orientation
        numbers = np.fromiter(map(number_of, self.paths), np.uint64, len(self.paths))
        self._order = np.argsort(numbers)
        self._sorted = numbers[self._order]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Path]:
        return map(Path, self.paths)

    def __getitem__(self, path: Path) -> PhotoFacts:
        return self.facts(int(self.positions(np.array([number_of(str(path))], np.uint64))[0]))

    @property
    def broken(self) -> NDArray[np.bool_]:
        """(n,) whether the photo cannot be read or decoded."""
        return np.isin(np.arange(len(self)), list(self.faults))

    def positions(self, numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the positions in `paths` of photos by the numbers of their paths."""
        return self._order[np.searchsorted(self._sorted, numbers)]

    def facts(self, index: int) -> PhotoFacts:
        """Return the facts of the photo at a position."""
        digest = self.sha256[index].tobytes() if self.sha256[index].any() else b""
        if index in self.faults:
            return PhotoFacts(digest, fault=self.faults[index])
        width, height, stored_width, stored_height, orientation = self._sizes[index].tolist()
        return PhotoFacts(digest, (width, height), Layout((stored_width, stored_height), orientation))

    def store(self, index: int, facts: PhotoFacts) -> None:
        """Enter the facts of the photo at a position."""
        if facts.sha256:
            self.sha256[index] = np.frombuffer(facts.sha256, np.uint8)
        if facts.size is None or facts.layout is None:
            self.faults[index] = facts.fault or ""
        else:
            self._sizes[index] = (*facts.size, *facts.layout.stored, facts.layout.orientation)


def photos_below(root: Path) -> Iterator[str]:
    """Yield every file below a folder with the suffix of a photo, without hidden ones."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.suffix.lower() in PHOTO_SUFFIXES and not name.startswith(".") and path.is_file():
                yield str(path)


def scan_photos(
    photos: Photos, columns: FaceColumns, workers: int, progress: Callable[[], None] = lambda: None
) -> NDArray[np.uint8]:
    """Read every photo and enter its facts; return the hashes of the faces, (n, HASH_BITS / 8).

    Args:
        photos: photos to read, those of the faces among them.
        columns: the faces.
        workers: processes at most; for a few hundred photos it is fewer.
        progress: called after each photo.
    """
    hashes = np.zeros((len(columns.rows), HASH_BITS // 8), np.uint8)
    image = photos.positions(columns["image"])
    faces = np.argsort(image, kind="stable")
    ends = np.searchsorted(image[faces], np.arange(len(photos) + 1))
    starts = range(0, len(photos), _TOGETHER)

    def of_photo(index: int) -> NDArray[np.int64]:
        return faces[ends[index] : ends[index + 1]]

    def tasks() -> Iterator[_Task]:
        for start in starts:
            paths = photos.paths[start : start + _TOGETHER]
            yield _Task(paths, [columns["box"][of_photo(start + number)] for number in range(len(paths))])

    processes = max(1, min(workers, len(starts) // _PER_PROCESS))
    index = 0
    for results in map_in_processes(_read_photos, tasks(), processes):
        for facts, bits in results:
            photos.store(index, facts)
            hashes[of_photo(index)] = bits
            index += 1
            progress()
    return hashes


def _read_photos(task: _Task) -> list[_Read]:
    return [_read_photo(Path(path), boxes) for path, boxes in zip(task.paths, task.boxes, strict=True)]


def _read_photo(path: Path, boxes: NDArray[np.float64]) -> _Read:
    bits = np.zeros((len(boxes), HASH_BITS // 8), np.uint8)
    try:
        data = read_regular(path)
    except OSError as error:
        return _Read(PhotoFacts(b"", fault=f"cannot be read ({error.strerror})"), bits)
    digest = hashlib.sha256(data).digest()
    try:
        photo = decode_image(data, path.name)
        layout = image_layout(path)
    except ImageError as error:
        return _Read(PhotoFacts(digest, fault=str(error).removeprefix(f"{path.name}: ")), bits)
    for index, corners in enumerate(boxes.tolist()):
        hashed = face_hash(photo, None if np.isnan(corners[0]) else Box(*corners))
        if hashed is not None:
            bits[index] = np.packbits(hashed.bits)
    return _Read(PhotoFacts(digest, (photo.shape[1], photo.shape[0]), layout), bits)
