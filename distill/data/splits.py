"""Splits into training, validation and test faces that keep the faces of one scene together."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from distill.data.box_sources import name_for_hash
from distill.data.records import FaceRecord
from distill.data.shards.faces import ShardFaces
from distill.errors import ConfigError
from distill.files import sha256


def position_of_group(seed: int, group: str) -> float:
    """Return a number in [0, 1) that only these two decide."""
    digest = hashlib.sha256(f"{seed}/{group}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def split_by_group(
    records: Sequence[FaceRecord], fraction: float, seed: int
) -> tuple[list[FaceRecord], list[FaceRecord]]:
    """Split into (train, validation) with about `fraction` of the groups in validation.

    Each group is placed by the hash of its own name, so no group straddles, and adding faces never moves others.

    Raises:
        ConfigError: the fraction is not in [0, 1), or a side that should hold faces is empty.
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"validation fraction {fraction} is not in [0, 1): give a share such as 0.1")
    held_out = {record.group for record in records if position_of_group(seed, record.group) < fraction}
    train = [record for record in records if record.group not in held_out]
    validation = [record for record in records if record.group in held_out]
    if not train or (fraction > 0 and not validation):
        sides = f"{len(train)} faces to train and {len(validation)} to validate"
        raise ConfigError(f"validation fraction {fraction} leaves {sides}: add faces or change the fraction or seed")
    return train, validation


def without_groups_of(train: Sequence[FaceRecord], test: Sequence[FaceRecord]) -> list[FaceRecord]:
    """Return the training faces whose scene is not in the test faces: 300-W has photos that occur in both."""
    tested = {record.group for record in test}
    return [record for record in train if record.group not in tested]


@cache
def _file_hash(path: Path, size: int, changed: int) -> str:
    del size, changed  # part of the cache's key: a changed file is hashed again
    return sha256(path)


def photo_hash(path: Path) -> str:
    """Return the SHA-256 (hex) of a photo's bytes; a photo is read once."""
    status = path.stat()
    return _file_hash(path, status.st_size, status.st_mtime_ns)


def data_hash(records: Sequence[FaceRecord], hash_of: Callable[[Path], str] = photo_hash) -> str:
    """Return a SHA-256 (hex) over names, points, boxes and photos; neither order nor folder matters.

    It goes into results, so that numbers of the same faces can be recognised. That of shards is of their index, so that
    no photo is read, and differs from that of the faces they were packed from. `hash_of` returns the SHA-256 (hex) of a
    photo.
    """
    if isinstance(records, ShardFaces):
        return records.data_hash()
    total = hashlib.sha256()
    names = [record.name for record in records]
    for index in sorted(range(len(names)), key=names.__getitem__):
        record = records[index]
        total.update(f"{record.name}\0{record.scheme}\0{hash_of(record.image)}".encode())
        total.update(np.ascontiguousarray(record.landmarks, "<f4").tobytes())
        total.update(np.packbits(record.visible).tobytes())
        for source in sorted(record.boxes):
            total.update(name_for_hash(source).encode() + np.array(record.boxes[source], "<f8").tobytes())
    return total.hexdigest()
