"""Description of an exported detector, `NAME.json` beside `NAME.tflite` or `NAME.onnx`: anchors, score, calibration."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.detection.retinaface.box_calibration import StoredTable, as_table, require_table, stored_table
from distill.detection.retinaface.priors import AnchorConfig, require_side
from distill.errors import CheckpointError, ConfigError
from distill.files import sha256, write_json
from distill.spec import read_description, sidecar_path

_FORMAT = "distill-detector/1"
# Files that decode their outputs themselves. A format of their own, because programs that read the first one would take
# boxes for maps.
_DECODED_FORMAT = "distill-detector/2"
_FORMATS = (_FORMAT, _DECODED_FORMAT)
# Of files that another project trained, see `detection.third_party`.
THIRD_PARTY_FORMAT = "distill-detector/3"
# Every part of a photo that `RetinaFaceDetector` looks at fits into a fixed input of this side.
_LEAST_DECODED = 160


def require_score(min_score: float) -> None:
    """Refuse a score that no detection can have.

    Raises:
        ConfigError: outside [0, 1].
    """
    if not 0 <= min_score <= 1:
        raise ConfigError(f"detector: min_score {min_score} must be in [0, 1]")


@dataclass(frozen=True)
class DetectorFileSpec:
    """What a detector file needs to be run.

    Attributes:
        anchors: prior boxes.
        size: longest side of the input in pixels, a multiple of 32.
        min_score: operating threshold, in [0, 1].
        to_box: (12, 4), from `box_calibration.features` to the tight box of the 68 points; empty: the net's own boxes.
        decoded: the file has a fixed square input of `size` pixels, from 160 on, and returns boxes, scores and points.
    """

    anchors: AnchorConfig = field(default_factory=AnchorConfig)
    size: int = 640
    min_score: float = 0.5
    to_box: StoredTable = ()
    decoded: bool = False

    def __post_init__(self) -> None:
        require_side(self.size)
        if self.decoded and self.size < _LEAST_DECODED:
            raise ConfigError(f"detector: a fixed input of {self.size} px is too small: give {_LEAST_DECODED} or more")
        require_score(self.min_score)
        require_table(self.to_box)

    @property
    def table(self) -> NDArray[np.float64] | None:
        """`to_box` as an array; None where there is no calibration."""
        return as_table(self.to_box)

    @property
    def fixed_side(self) -> int | None:
        """Side of the fixed square input in pixels; None where inputs may have any size."""
        return self.size if self.decoded else None

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "DetectorFileSpec":
        anchors = raw["anchors"]
        sizes = tuple(tuple(float(side) for side in sides) for sides in anchors["sizes"])
        to_box = stored_table(raw["to_box"])
        priors = AnchorConfig(tuple(anchors["strides"]), sizes)
        return cls(priors, raw["size"], raw["min_score"], to_box, raw.get("decoded", False))


def write_detector_sidecar(model: str | Path, spec: DetectorFileSpec) -> None:
    """Write `NAME.json` beside a detector file."""
    described = asdict(spec)
    if not spec.decoded:
        del described["decoded"]
    content = {"format": _DECODED_FORMAT if spec.decoded else _FORMAT, "sha256": sha256(model), "detector": described}
    write_json(sidecar_path(model), content)


def is_detector_file(model: str | Path) -> bool:
    """Return whether the description beside a file says that it is a detector; one that cannot be read says nothing."""
    return description_format(model) in (*_FORMATS, THIRD_PARTY_FORMAT)


def description_format(model: str | Path) -> str | None:
    """Return the format that the description beside a file states; None where it cannot be read."""
    try:
        return str(json.loads(sidecar_path(model).read_text())["format"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def read_detector_sidecar(model: str | Path) -> DetectorFileSpec:
    """Read and verify `NAME.json` beside a detector file.

    Raises:
        CheckpointError: the model or its sidecar is missing, unreadable, or the two do not belong together.
    """
    if not Path(model).is_file():
        raise CheckpointError(f"{model}: no such detector file")
    return read_description(
        model, _FORMATS, lambda raw: DetectorFileSpec.from_dict(raw["detector"]), "a detector's description"
    )
