"""One pass over the photos: each is read once, decoded whole, and its faces are turned into perceptual hashes."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.records import FaceRecord
from distill.errors import ImageError
from distill.files import read_regular
from distill.geometry import CropSpec, crop_affine
from distill.images import Layout, Photo, decode_image, image_layout, warp

HASH_BITS = 256
_CROP = CropSpec(size=64, scale=1.3)
_DETAIL = 32


class FaceHash(NamedTuple):
    """Perceptual hash of a face: 256 bits that find candidates, and a (1024,) unit vector that compares them."""

    bits: NDArray[np.bool_]
    detail: NDArray[np.float32]


@dataclass(frozen=True)
class PhotoFacts:
    """Facts of one photo file: SHA-256 of its bytes, (width, height), the fault if it cannot be decoded, its faces.

    `layout` is the size and orientation in its header, None where it cannot be decoded.
    """

    sha256: str
    size: tuple[int, int] | None
    fault: str | None
    hashes: Mapping[str, FaceHash] = field(default_factory=dict)
    layout: Layout | None = None


def face_hash(photo: Photo, record: FaceRecord) -> FaceHash | None:
    """Return a hash that is robust to scaling, cropping, brightness and compression; None without a box.

    It is taken of the face's crop, not of the photo, as the same photo is often cut differently in two data sets.
    Bit (row, column) is set where the face gets brighter from one cell of a 16 x 17 grid to the next ("difference
    hash"); the details are the crop's Laplacian at 32 x 32 pixels.
    """
    box = record.boxes.get("gt") or record.boxes.get("dataset")
    if box is None:
        return None
    grey = cv2.cvtColor(warp(photo, crop_affine(box, _CROP), _CROP.size), cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA).astype(np.int16)
    small = cv2.resize(grey, (_DETAIL, _DETAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = cv2.Laplacian(cv2.GaussianBlur(small, (0, 0), 1), cv2.CV_32F).reshape(-1)
    detail -= detail.mean()
    bits = (cells[:, 1:] > cells[:, :-1]).reshape(HASH_BITS)
    return FaceHash(bits, detail / max(1e-6, float(np.linalg.norm(detail))))


def _facts(path: Path, faces: Sequence[FaceRecord]) -> PhotoFacts:
    try:
        data = read_regular(path)
    except OSError as error:
        return PhotoFacts("", None, f"cannot be read ({error.strerror})")
    digest = hashlib.sha256(data).hexdigest()
    try:
        photo = decode_image(data, path.name)
        layout = image_layout(path)
    except ImageError as error:
        return PhotoFacts(digest, None, str(error).removeprefix(f"{path.name}: "))
    hashes = {record.name: face_hash(photo, record) for record in faces}
    hashed = {name: value for name, value in hashes.items() if value is not None}
    return PhotoFacts(digest, (photo.shape[1], photo.shape[0]), None, hashed, layout)


def scan_photos(
    paths: Sequence[Path], records: Sequence[FaceRecord], workers: int = 2, progress: Callable[[], None] | None = None
) -> dict[Path, PhotoFacts]:
    """Read every photo; threads share the work, as decoding and hashing let other threads run.

    Args:
        paths: photos to read; those of the records are read too.
        records: faces to hash.
        workers: threads.
        progress: called after each photo.
    """
    faces: dict[Path, list[FaceRecord]] = defaultdict(list)
    for record in records:
        faces[record.image].append(record)
    files = sorted({*paths, *faces})

    def inspect(path: Path) -> PhotoFacts:
        facts = _facts(path, faces.get(path, ()))
        if progress is not None:
            progress()
        return facts

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(files, pool.map(inspect, files), strict=True))


def close_pairs(hashes: NDArray[np.bool_], limit: int, block: int = 1024) -> list[tuple[int, int, int]]:
    """Return (i, j, differing bits) with i < j of all pairs of hashes (n, bits) that differ in at most `limit` bits.

    A product of +-1 vectors counts equal minus differing bits, so all pairs of 8,000 faces take about a second.
    """
    pairs = []
    for start in range(0, len(hashes), block):
        for row, column, bits in pairs_between(hashes[start : start + block], hashes[start:], limit):
            if row < column:
                pairs.append((start + row, start + column, bits))
    return pairs


def pairs_between(first: NDArray[np.bool_], second: NDArray[np.bool_], limit: int) -> Iterator[tuple[int, int, int]]:
    """Yield (i, j, differing bits) of all hashes of two arrays (n, bits), (m, bits) that differ in at most `limit`."""
    signs = [hashes.astype(np.float32) * 2 - 1 for hashes in (first, second)]
    distance = (first.shape[1] - signs[0] @ signs[1].T) / 2
    rows, columns = np.nonzero(distance <= limit)
    yield from zip(rows.tolist(), columns.tolist(), distance[rows, columns].astype(int).tolist(), strict=True)
