"""Read faces with landmarks to be pasted into photos: their five points, and boxes in WIDER FACE's convention."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.photos.config import PasteSetConfig
from distill.data.photos.paste import PasteFace
from distill.data.readers import parse_subsets, read_annotated
from distill.data.records import FaceRecord
from distill.detection.boxes import FOREHEAD
from distill.errors import AnnotationError
from distill.geometry import box_of_points
from distill.images import read_image

# Schemes whose points include the jaw, so that their tight box is the face up to the brows.
WITH_JAW = ("ibug68", "faces70", "wflw98")
# Points that a file only numbers.
_NUMBERED = "five"

# What is kept of a photo: a square of this many longer sides of the face's box, at this many pixels for the face.
_SURROUNDINGS = 2.0
_FACE_PIXELS = 128


def wider_box(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the box (4,) in WIDER FACE's convention of points (k, 2) that include the jaw."""
    tight = box_of_points(points)
    return np.array([tight.x0, tight.y0 - FOREHEAD * tight.height, tight.x1, tight.y1], np.float32)


@dataclass(frozen=True)
class BoxFromPoints:
    """Linear estimate of a face's box from its five points, fitted to faces where both are known.

    Attributes:
        weights: (11, 4); of the ten normalised coordinates and 1, for centre and size in the points' own scale.
    """

    weights: NDArray[np.float64]

    @classmethod
    def fit(cls, points: NDArray[np.floating], boxes: NDArray[np.floating]) -> "BoxFromPoints":
        """Fit to points (n, 5, 2) and boxes (n, 4) by least squares."""
        features, middle, scale = _normalised(points)
        centre = ((boxes[:, :2] + boxes[:, 2:]) / 2 - middle) / scale
        size = (boxes[:, 2:] - boxes[:, :2]) / scale
        return cls(np.linalg.lstsq(features, np.concatenate([centre, size], axis=1), rcond=None)[0])

    def __call__(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the boxes (n, 4) of points (n, 5, 2)."""
        features, middle, scale = _normalised(points)
        values = features @ self.weights
        centre = values[:, :2] * scale + middle
        half = np.maximum(values[:, 2:], 0.1) * scale / 2
        return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def _normalised(points: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return features (n, 11), middle (n, 2) and scale (n, 1) of points (n, 5, 2)."""
    middle = points.mean(axis=1)
    centred = points - middle[:, None]
    scale = np.sqrt((centred**2).sum(axis=(1, 2)))[:, None]
    features = centred.reshape(len(points), -1) / scale
    return np.concatenate([features, np.ones((len(points), 1))], axis=1), middle, scale


def read_paste_faces(sets: Sequence[PasteSetConfig]) -> list[PasteFace]:
    """Read all faces of the sets, cut out with their surroundings.

    Faces with points along the jaw have the box of `wider_box`; the boxes of those with five points only are estimated
    by a map that is fitted to the former.

    Raises:
        AnnotationError: a set whose boxes cannot be found out, or whatever its reader raises.
        ConfigError: a set with a scheme that has no five points.
    """
    parts = [read_annotated(given.format, given.root, parse_subsets(given.subset), _NUMBERED) for given in sets]
    records = [record for part in parts for record in part]
    records = [record for record in records if record.known.all()]
    five = [record.in_scheme("five").landmarks for record in records]
    boxes = [wider_box(record.landmarks) if record.scheme in WITH_JAW else None for record in records]
    known = [index for index, box in enumerate(boxes) if box is not None]
    if len(known) < len(records):
        if not known:
            raise AnnotationError("--data.paste: faces of five points need a set with points along the jaw beside them")
        estimate = BoxFromPoints.fit(np.array([five[i] for i in known]), np.array([boxes[i] for i in known]))
        boxes = [estimate(points[None])[0] if box is None else box for points, box in zip(five, boxes, strict=True)]
    return [_cut_out(*face) for face in zip(records, boxes, five, strict=True)]  # type: ignore[arg-type]


def _cut_out(record: FaceRecord, box: NDArray[np.float32], points: NDArray[np.float32]) -> PasteFace:
    """Read a face's photo and keep the face with its surroundings, large faces scaled down."""
    photo = read_image(record.image)
    longer = float(max(box[2] - box[0], box[3] - box[1]))
    centre = (box[:2] + box[2:]) / 2
    height, width = photo.shape[:2]
    low = np.clip(np.floor(centre - _SURROUNDINGS * longer / 2), 0, [width - 1, height - 1]).astype(int)
    high = np.clip(np.ceil(centre + _SURROUNDINGS * longer / 2) + 1, low + 1, [width, height]).astype(int)
    part = np.ascontiguousarray(photo[low[1] : high[1], low[0] : high[0]])
    scale = np.ones(2, np.float32)
    if longer > _FACE_PIXELS:
        size = np.maximum(1, np.rint(np.array(part.shape[1::-1]) * _FACE_PIXELS / longer)).astype(int)
        scale = (size / np.array(part.shape[1::-1])).astype(np.float32)
        part = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    # Pixel centres are integers: x -> (x - low + 0.5) * scale - 0.5.
    moved = (points - low + 0.5) * scale - 0.5
    corners = (box.reshape(2, 2) - low + 0.5) * scale - 0.5
    return PasteFace(part, corners.reshape(4).astype(np.float32), moved.astype(np.float32))
