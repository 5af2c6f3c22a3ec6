"""Calibration of a detector file, one of this project or of another: fitted, measured and written beside the file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.config import FacesConfig
from distill.data.photos.paste_faces import WITH_JAW
from distill.data.photos.records import PhotoRecord
from distill.data.presets import official_split
from distill.data.readers import parse_subsets, read_annotated
from distill.data.records import FaceRecord
from distill.detection.retinaface.box_calibration import calibrated, stored_table
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.retinaface.sidecar import write_detector_sidecar
from distill.detection.third_party.description import ThirdPartySpec, is_third_party, write_third_party_spec
from distill.detection.third_party.detector import ThirdPartyDetector, calibration_points, landmark_boxes
from distill.errors import AnnotationError, CheckpointError, ConfigError
from distill.export.detector_calibration import (
    IOU,
    LOWEST,
    MATCHED_SCORE,
    MatchedFaces,
    best_score,
    fit_calibration,
    match_faces,
    spread,
)
from distill.metrics.detection import match_photos
from distill.spec import sidecar_path

# Every so many-th face is measured by a table that the others gave.
_PART = 4


@dataclass(frozen=True)
class DetectorCalibration:
    """What a calibration changed.

    Attributes:
        path: of the description.
        faces: annotated faces.
        found: those found at any of three scales.
        before: root mean square error of the boxes' edges without a calibration, in longer sides of the face.
        after: that of a quarter of the faces by a table fitted to the others.
        min_score: operating score chosen on photos; None without photos.
    """

    path: Path
    faces: int
    found: int
    before: float
    after: float
    min_score: float | None

    def __str__(self) -> str:
        score = "" if self.min_score is None else f"; operating score {self.min_score:.2f}"
        return (
            f"{self.path}: {self.found} of {self.faces} faces found; edges of boxes {100 * self.before:.1f} % of the "
            f"face from those of the landmarks, {100 * self.after:.1f} % calibrated, on faces not fitted to{score}"
        )


def calibration_faces(data: FacesConfig) -> list[FaceRecord]:
    """Return up to 300 faces at even distances: those named, else the official training faces.

    Raises:
        AnnotationError: no faces, or points that leave out the jaw.
    """
    subset = data.subset or official_split(data.format, data.root, data.preset).train
    records = read_annotated(data.format, data.root, parse_subsets(subset))
    if not records or any(record.scheme not in WITH_JAW for record in records):
        found = records[0].scheme if records else "no face"
        raise AnnotationError(
            f"{data.root}: {found}; a calibration needs faces with points along the jaw, of scheme "
            f"{' or '.join(WITH_JAW)}"
        )
    return spread(records)


def calibrate_detector(
    model: str | Path, faces: Sequence[FaceRecord], photos: Sequence[PhotoRecord] = ()
) -> DetectorCalibration:
    """Fit the boxes of a detector file to the tight boxes of landmarks, and write the description beside the file.

    Args:
        model: `.onnx` or `.tflite`, of `distill export` with its description, or of another project.
        faces: training faces whose points include the jaw.
        photos: with boxes, whose highest F1 chooses the operating score; it stays as it is without them.

    Raises:
        CheckpointError: no detector file.
        ConfigError: too few of the faces are found.
    """
    detector, path = open_detector(model), Path(model)
    matched = match_faces(detector.find if isinstance(detector, ThirdPartyDetector) else detector.precise, faces)
    found = 0 if matched is None else len(np.unique(matched.face))
    if matched is None or found < _PART:
        raise ConfigError(f"{path}: finds {found} of {len(faces)} faces; a calibration needs {_PART} or more")
    score = _operating_score(path, photos)
    to_box = stored_table(fit_calibration(matched))
    if isinstance(detector, ThirdPartyDetector):
        chosen = detector.spec.min_score if score is None else score
        write_third_party_spec(path, ThirdPartySpec(chosen, to_box))
        before = landmark_boxes(matched.own, None)
    else:
        chosen = detector.spec.min_score if score is None else score
        write_detector_sidecar(path, replace(detector.spec, min_score=chosen, to_box=to_box))
        before = matched.own.boxes
    return DetectorCalibration(
        sidecar_path(path), len(faces), found, edge_error(before, matched.tight), held_out_error(matched), score
    )


def open_detector(model: str | Path, min_score: float = MATCHED_SCORE) -> ThirdPartyDetector | RetinaFaceDetector:
    """Open a detector file that can be calibrated.

    Raises:
        CheckpointError: no such file, or no detector.
        ConfigError: a file in another format.
    """
    path = Path(model)
    if path.suffix not in (".onnx", ".tflite"):
        raise ConfigError(f"{path}: a calibration needs a detector's .onnx or .tflite file")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such detector file")
    kind = ThirdPartyDetector if is_third_party(path) else RetinaFaceDetector
    return kind(path, min_score=min_score)


def _operating_score(path: Path, photos: Sequence[PhotoRecord]) -> float | None:
    """Return the score of the highest F1 on photos; None without photos.

    Raises:
        ConfigError: none of their faces is found.
    """
    if not photos:
        return None
    detector = open_detector(path, LOWEST)
    matches = match_photos(photos, lambda photo: detector.find(photo)[:2], (IOU,))[IOU]
    if not any(match.true.any() for match in matches):
        raise ConfigError(f"{path}: finds none of the faces in {len(photos)} photos; leave --photos out")
    return float(best_score(matches)["score"])


def held_out_error(matched: MatchedFaces) -> float:
    """Return the error of every fourth face found by a table that is fitted to the others."""
    measured = np.unique(matched.face)[::_PART]
    held_out = np.isin(matched.face, measured)
    table = fit_calibration(matched.at(np.flatnonzero(~held_out)))
    others = matched.at(np.flatnonzero(held_out))
    return edge_error(calibrated(others.own.boxes, calibration_points(others.own), table), others.tight)


def edge_error(boxes: NDArray[np.float64], tight: NDArray[np.float64]) -> float:
    """Return the root mean square error of edges (n, 4), in parts of the longer sides of the boxes wanted."""
    longer = (tight[:, 2:] - tight[:, :2]).max(axis=1, keepdims=True)
    return float(np.sqrt(np.square((boxes - tight) / longer).mean()))
