"""Calibration of a detector file: operating score on held-out photos, and its boxes against those of landmarks."""

import math
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.records import FaceRecord
from distill.detection.metrics import PhotoMatch
from distill.detection.retinaface.box_calibration import fit_table
from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.images import Photo, read_image

# A face of 300-W then has about 230, 80 and 35 px.
SCALES = (1.0, 0.35, 0.15)
_DECIMALS = 5


def at_scales(face: FaceRecord) -> Iterator[tuple[Photo, NDArray[np.float64]]]:
    """Yield the photo of a face at every scale, and the tight box (4,) of its points in it."""
    photo = read_image(face.image)
    for scale in SCALES:
        small = photo if scale == 1 else cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield small, (np.array(face.boxes["gt"]) + 0.5) * scale - 0.5


def nearest(found: Candidates, box: NDArray[np.float64]) -> int | None:
    """Return the index of the detection of the face in `box`: its centre is nearest, within half the longer side."""
    if not len(found.boxes):
        return None
    distance = np.abs(found.boxes[:, :2] + found.boxes[:, 2:] - box[:2] - box[2:]).max(axis=1) / 2
    index = int(distance.argmin())
    return index if distance[index] < (box[2:] - box[:2]).max() / 2 else None


def fit_calibration(detector: RetinaFaceDetector, faces: Sequence[FaceRecord]) -> NDArray[np.float64] | None:
    """Return the table from a detector's boxes to the tight boxes of landmarks; None where it finds none of the faces.

    Args:
        detector: without a calibration.
        faces: training faces whose points include the jaw.
    """
    boxes, points, tight = [], [], []
    for face in faces:
        for photo, wanted in at_scales(face):
            found = detector.precise(photo)
            index = nearest(found, wanted)
            if index is not None:
                boxes.append(found.boxes[index])
                points.append(found.points[index])
                tight.append(wanted)
    if not boxes:
        return None
    return np.round(fit_table(np.array(boxes), np.array(points), np.array(tight)), _DECIMALS)


def best_score(found: Sequence[PhotoMatch]) -> Mapping[str, float]:
    """Return the score of the highest F1, rounded down to 0.01, with precision and recall there."""
    scores = np.concatenate([match.scores for match in found])
    order = np.argsort(-scores)
    true = np.concatenate([match.true for match in found])[order].cumsum()
    false = np.concatenate([match.false for match in found])[order].cumsum()
    total = sum(int((~match.ignored).sum()) for match in found)
    best = int((2 * true / (total + true + false)).argmax())
    return {
        "score": math.floor(100 * float(scores[order][best])) / 100,  # rounded up it could be above every score
        "precision": float(true[best] / (true[best] + false[best])),
        "recall": float(true[best] / total),
    }
