"""Fingerprints of the photos that a model was trained on, so that it is never measured on them unnoticed.

A fingerprint is the start of the SHA-256 of a photo's bytes: it is the same under another name and in another folder.
"""

import base64
from collections.abc import Sequence
from pathlib import Path

from distill.data.records import FaceRecord
from distill.data.shards.faces import ShardFaces
from distill.data.splits import photo_hash
from distill.errors import ConfigError

# 40 bits: one of 10,000 test photos is taken for one of 100,000 training photos with a probability of 0.1 %.
_BYTES = 5


def photo_fingerprints(records: Sequence[FaceRecord]) -> str:
    """Return the fingerprints of the photos of these faces as text (base64), sorted, each once."""
    if isinstance(records, ShardFaces):
        marks = sorted({photo[:_BYTES] for photo in records.photos().tolist()})
    else:
        marks = sorted({_fingerprint(path) for path in {record.image for record in records}})
    return base64.b64encode(b"".join(marks)).decode("ascii")


def count_photos(records: Sequence[FaceRecord]) -> int:
    """Return how many photos these faces are of."""
    if isinstance(records, ShardFaces):
        return len(records.photos())
    return len({record.image for record in records})


def trained_on(records: Sequence[FaceRecord], fingerprints: str) -> list[FaceRecord]:
    """Return the faces whose photo is among the fingerprints."""
    raw = base64.b64decode(fingerprints)
    known = {raw[start : start + _BYTES] for start in range(0, len(raw), _BYTES)}
    return [record for record in records if known and _fingerprint(record.image) in known]


def require_disjoint(train: Sequence[FaceRecord], others: Sequence[FaceRecord], what: str) -> None:
    """Check that no photo of the training faces is that of other faces, by path or by content.

    Only photos of equal size in bytes are read.

    Args:
        train: training faces.
        others: faces that are validated or tested on.
        what: how to call them.

    Raises:
        ConfigError: with the first photo that is on both sides.
    """
    sizes: dict[int, list[Path]] = {}
    for path in dict.fromkeys(record.image for record in others):
        sizes.setdefault(path.stat().st_size, []).append(path)
    for path in dict.fromkeys(record.image for record in train):
        for other in sizes.get(path.stat().st_size, ()):
            if path.resolve() == other.resolve() or photo_hash(path) == photo_hash(other):
                raise ConfigError(
                    f"{what} are trained on: {other} is the photo of the training face {path}; remove one of the two, "
                    "or give both faces one group"
                )


def _fingerprint(path: Path) -> bytes:
    return bytes.fromhex(photo_hash(path))[:_BYTES]
