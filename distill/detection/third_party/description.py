"""Description of a third-party detector file, `NAME.json` beside it: size, operating score and calibration.

Such a file runs without one. `distill calibrate` writes it.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.detection.retinaface.box_calibration import StoredTable, as_table, require_table, stored_table
from distill.detection.retinaface.sidecar import THIRD_PARTY_FORMAT, description_format, require_score
from distill.files import sha256, write_json
from distill.spec import read_description, sidecar_path


@dataclass(frozen=True)
class ThirdPartySpec:
    """What was measured of a file.

    Attributes:
        min_score: operating score in [0, 1]; None: that of its layout.
        to_box: (12, 4), see `box_calibration.features`; empty: not calibrated.
    """

    min_score: float | None = None
    to_box: StoredTable = ()

    def __post_init__(self) -> None:
        if self.min_score is not None:
            require_score(self.min_score)
        require_table(self.to_box)

    @property
    def table(self) -> NDArray[np.float64] | None:
        """`to_box` as an array; None where there is no calibration."""
        return as_table(self.to_box)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "ThirdPartySpec":
        return cls(raw["min_score"], stored_table(raw["to_box"]))


def is_third_party(model: str | Path) -> bool:
    """Return whether a .tflite or .onnx file has no description, or that of a third-party detector."""
    if Path(model).suffix not in (".tflite", ".onnx") or not Path(model).is_file():
        return False
    return not sidecar_path(model).is_file() or description_format(model) == THIRD_PARTY_FORMAT


def write_third_party_spec(model: str | Path, spec: ThirdPartySpec) -> None:
    """Write `NAME.json` beside a detector file."""
    content = {"format": THIRD_PARTY_FORMAT, "sha256": sha256(model), "detector": asdict(spec)}
    write_json(sidecar_path(model), content)


def read_third_party_spec(model: str | Path) -> ThirdPartySpec:
    """Read and verify `NAME.json` beside a detector file; an empty description where there is none.

    Raises:
        CheckpointError: it is unreadable, or belongs to another file.
    """
    if not sidecar_path(model).is_file():
        return ThirdPartySpec()
    return read_description(
        model, (THIRD_PARTY_FORMAT,), lambda raw: ThirdPartySpec.from_dict(raw["detector"]), "a detector's description"
    )
