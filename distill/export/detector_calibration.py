"""Calibration of a detector: operating score on photos with boxes, and its boxes against those of landmarks."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.records import FaceRecord
from distill.detection.metrics import PhotoMatch
from distill.detection.retinaface.box_calibration import fit_table
from distill.detection.retinaface.decode_maps import Candidates, concatenate
from distill.detection.third_party.detector import calibration_points
from distill.images import Photo, read_image

# A face of 300-W then has about 230, 80 and 35 px.
SCALES = (1.0, 0.35, 0.15)
_DECIMALS = 5
MATCHED_SCORE = 0.3  # faces from which on a calibration is fitted
LOWEST = 0.02  # scores that the choice of the operating score and average precision count from
IOU = 0.5  # overlap from which a detection is a face
_FACES = 300


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


def spread(faces: Sequence[FaceRecord]) -> list[FaceRecord]:
    """Return up to 300 faces at even distances."""
    return [faces[int(index)] for index in np.linspace(0, len(faces) - 1, min(_FACES, len(faces)))]


class MatchedFaces(NamedTuple):
    """Faces that a detector found, each at several scales.

    Attributes:
        own: with the boxes of the network.
        tight: (n, 4), boxes of the landmarks.
        face: (n,), index of the annotated face.
    """

    own: Candidates
    tight: NDArray[np.float64]
    face: NDArray[np.intp]

    def at(self, indices: NDArray[np.intp]) -> "MatchedFaces":
        """Return those of these indices."""
        return MatchedFaces(self.own.at(indices), self.tight[indices], self.face[indices])


def match_faces(find: Callable[[Photo], Candidates], faces: Sequence[FaceRecord]) -> MatchedFaces | None:
    """Find annotated faces at all `SCALES`; None where none is found.

    Args:
        find: photo -> faces with the boxes of the network.
        faces: training faces whose points include the jaw.
    """
    own, tight, indices = list[Candidates](), list[NDArray[np.float64]](), list[int]()
    for number, face in enumerate(faces):
        for photo, wanted in at_scales(face):
            found = find(photo)
            index = nearest(found, wanted)
            if index is not None:
                own.append(found.at(np.array([index])))
                tight.append(wanted)
                indices.append(number)
    return MatchedFaces(concatenate(own), np.array(tight), np.array(indices)) if own else None


def fit_calibration(matched: MatchedFaces) -> NDArray[np.float64]:
    """Return the table (12, 4) from a detector's boxes to the tight boxes of landmarks."""
    return np.round(fit_table(matched.own.boxes, calibration_points(matched.own), matched.tight), _DECIMALS)


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
