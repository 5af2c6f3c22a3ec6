"""Protocol of a measurement. Numbers of different protocols are never compared."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from distill.data.box_sources import source_from_file
from distill.data.records import FaceRecord
from distill.errors import ConfigError
from distill.geometry import CropSpec

# What must agree before two numbers are compared. The rest belongs to the model measured, not to the measurement.
_MUST_AGREE = (
    "scheme",
    "points",
    "normalisers",
    "boxes",
    "format",
    "subset",
    "n_faces",
    "data_hash",
    "flip_tta",
    "change",
    "conversion",
)


@dataclass(frozen=True)
class Protocol:
    """Everything needed to measure the same again.

    Attributes:
        scheme: landmark scheme the errors were taken in.
        points: number of its points.
        normalisers: distances that errors were divided by (`ocular`, `pupil`, `box`), all from the truth.
        boxes: where the face boxes came from: `gt`, `dataset` (with the data) or `detector`.
        format: how the data lay on disk.
        subset: which part of it, `all` for everything.
        n_faces: number of faces measured.
        data_hash: SHA-256 over names, true points and boxes of the faces, in order.
        flip_tta: whether predictions for the photo and its mirror image were averaged.
        crop: how a face box became the input.
        runtime: what computed the network, with version.
        model_sha256: of the file measured.
        seed: of the bootstrap and of what is random in a change.
        change: what was done to the photos first, `none` as a rule.
        conversion: `exact`, or which of the maps between schemes are only approximate.
        missed: faces that the detector missed, with `detector` boxes; they are in no number.
    """

    scheme: str
    points: int
    normalisers: tuple[str, ...]
    boxes: str
    format: str
    subset: str
    n_faces: int
    data_hash: str
    flip_tta: bool
    crop: CropSpec
    runtime: str
    model_sha256: str
    seed: int = 0
    change: str = "none"
    conversion: str = "exact"
    missed: int = 0

    @property
    def left_out(self) -> str:
        """Note on faces that are in no number, empty where there are none."""
        return f"The detector missed {self.missed} faces more; they are in no number." if self.missed else ""

    def same_as(self, other: "Protocol") -> bool:
        """Whether numbers of both may be compared: same faces, points and rules. Model, crop and runtime may differ."""
        return self.first_difference(other) is None

    def first_difference(self, other: "Protocol") -> str | None:
        """Return the first field that forbids a comparison, or None."""
        return next((name for name in _MUST_AGREE if getattr(self, name) != getattr(other, name)), None)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "normalisers": list(self.normalisers)}

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "Protocol":
        return cls(
            **{
                **raw,
                "boxes": source_from_file(raw["boxes"]),
                "normalisers": tuple(raw["normalisers"]),
                "crop": CropSpec(**raw["crop"]),
            }
        )


def require_alike(first: Protocol, second: Protocol) -> None:
    """Refuse to compare numbers of unlike protocols.

    Raises:
        ConfigError: naming the first field that differs.
    """
    name = first.first_difference(second)
    if name is not None:
        values = f"{getattr(first, name)} and {getattr(second, name)}"
        raise ConfigError(f"these numbers cannot be compared, {name} differs ({values}); evaluate both the same way")


def hash_faces(records: Sequence[FaceRecord], boxes: str) -> str:
    """Return the SHA-256 of what decides a score: names, true points, and the boxes for crop and normaliser."""
    digest = sha256()
    for record in records:
        digest.update(record.name.encode() + b"\0" + record.scheme.encode() + b"\0")
        digest.update(np.ascontiguousarray(record.landmarks, "<f4").tobytes())
        if not record.known.all():
            digest.update(record.known.tobytes())
        digest.update(np.array([record.boxes[boxes], record.boxes["gt"]], "<f8").tobytes())
    return digest.hexdigest()
