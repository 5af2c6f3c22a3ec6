"""Index of a shard: one row of fixed size per face, so that a million faces are an array instead of objects."""

import hashlib
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from distill.data.box_sources import BOX_SOURCES
from distill.data.records import FaceRecord, Labels
from distill.errors import ConfigError
from distill.geometry import Box

Rows = NDArray[np.void]

LABELS: tuple[Labels, ...] = get_args(Labels)
_SUBSET_BYTES = 48
# Fields that tell what a face is; the others tell where its photo lies.
CONTENT = ("labels", "subset", "group", "sha256", "photo", "boxes", "points", "known", "visible")


def row_type(n_points: int) -> np.dtype[np.void]:
    """Return the type of a row for faces of `n_points` landmarks.

    offset, length: bytes of the photo in the shard. subset, group (start of its SHA-256), labels (index into `LABELS`):
    as in `FaceRecord`. sha256: of the photo in the shard. photo: SHA-256 of the file it was cut out of. boxes: (3, 4)
    x0 y0 x1 y1 in the order of `BOX_SOURCES`, NaN where there is none. points: (k, 2) pixels of the photo in the shard.
    known, visible: bits.
    """
    flags = (-(-n_points // 8),)
    return np.dtype(
        [
            ("offset", "<i8"), ("length", "<i4"), ("labels", "u1"), ("subset", f"S{_SUBSET_BYTES}"), ("group", "<u8"),
            ("sha256", "u1", (32,)), ("photo", "u1", (32,)), ("boxes", "<f4", (len(BOX_SOURCES), 4)),
            ("points", "<f4", (n_points, 2)), ("known", "u1", flags), ("visible", "u1", flags),
        ]
    )  # fmt: skip


def group_number(group: str) -> int:
    """Return the 64 bits that stand for a group."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "little")


def make_row(record: FaceRecord, offset: int, content: bytes, photo: str) -> tuple[Any, ...]:
    """Return the row of a face.

    Args:
        record: the face, in pixels of the photo in the shard.
        offset: of the photo in the shard, in bytes.
        content: the photo's bytes.
        photo: SHA-256 (hex) of the file that it was cut out of.

    Raises:
        ConfigError: the name of the subset is too long.
    """
    subset = record.subset.encode()
    if len(subset) > _SUBSET_BYTES:
        raise ConfigError(f"subset '{record.subset}': its name has more than {_SUBSET_BYTES} bytes; shorten it")
    absent = (np.nan,) * 4
    return (
        offset, len(content), LABELS.index(record.labels), subset, group_number(record.group),
        np.frombuffer(hashlib.sha256(content).digest(), np.uint8), np.frombuffer(bytes.fromhex(photo), np.uint8),
        [tuple(record.boxes.get(source, absent)) for source in BOX_SOURCES],
        record.landmarks, np.packbits(record.known), np.packbits(record.visible),
    )  # fmt: skip


def boxes_of(row: Any) -> dict[str, Box]:
    """Return the boxes of a row by source."""
    found = zip(BOX_SOURCES, row["boxes"].tolist(), strict=True)
    return {source: Box(*corners) for source, corners in found if corners[0] == corners[0]}
