"""Boxes of uncalibrated detectors against those of landmarks: `python -m scripts.studies.third_party_boxes DATA`.

RetinaFace's own boxes, before refinement and calibration, stand in for a detector of another project: on 120 training
faces of DATA/300W at three sizes, the error of the edges as the boxes are, without the forehead (what is used without
a calibration), and calibrated. Writes results/studies/third_party_boxes.json and its table in the documentation.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distill.detection.detector import bundled_detector
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.third_party.detector import landmark_boxes
from distill.export.calibrate_detector import edge_error, held_out_error
from distill.export.detector_calibration import MATCHED_SCORE, match_faces
from scripts.studies.common.study import run_study
from scripts.studies.common.training_faces import training_faces

OUT = "results/studies/third_party_boxes.json"
FACES = 120


def studied(data: Path) -> dict[str, Any]:
    """Measure everything; errors are root mean squares in longer sides of the face."""
    faces = training_faces(data, FACES)
    matched = match_faces(RetinaFaceDetector(bundled_detector(), min_score=MATCHED_SCORE).find, faces)
    assert matched is not None
    without_points = matched.own._replace(points=np.zeros((len(matched.tight), 0, 2)))
    return {
        "faces": len(faces),
        "found at three sizes": len(matched.tight),
        "error": {
            "as they are": edge_error(matched.own.boxes, matched.tight),
            "without the forehead": edge_error(landmark_boxes(matched.own, None), matched.tight),
            "calibrated": held_out_error(matched),
            "calibrated, of a detector without points": held_out_error(matched._replace(own=without_points)),
        },
    }


def table(study: Mapping[str, Any]) -> str:
    """Return the study as a Markdown table."""
    lines = ["| boxes | error of the edges, % of the face's longer side |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {name} | {100 * error:.1f} |" for name, error in study["error"].items())])


def main() -> None:
    """Measure and write."""
    run_study(__doc__, OUT, studied, table)


if __name__ == "__main__":
    main()
