"""Boxes, scores and points from the outputs of YuNet, SCRFD and UltraFace, in numpy.

Each function takes the outputs of a file, in any order, each (n, channels), and returns every candidate of at least a
score, before suppression. These networks count in edges of pixels, so half a pixel is subtracted: pixel centres are
integers here.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distill.detection.retinaface.decode_maps import Candidates, concatenate

Array = NDArray[np.float64]
Outputs = Sequence[NDArray[np.floating]]

STRIDES = (8, 16, 32)
# Of SCRFD: two anchors with one centre at each cell.
SCRFD_ANCHORS = 2
# Of UltraFace: stride of each feature map and number of its anchors at each cell.
ULTRAFACE_ANCHORS = ((8, 3), (16, 2), (32, 2), (64, 3))
# Boxes of exp(this) strides never occur; larger outputs of a damaged network would overflow.
_LARGEST_LOG = 10.0


def cell_corners(width: int, height: int, stride: int, anchors: int = 1) -> Array:
    """Return the upper left corners (rows * columns * anchors, 2) of the cells of a feature map, in pixels.

    Args:
        width: of the input in pixels, a multiple of the stride.
        height: of the input in pixels, a multiple of the stride.
        stride: of the feature map.
        anchors: number of times that each cell is counted, in a row.
    """
    y, x = np.mgrid[: height // stride, : width // stride] * float(stride)
    return np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), anchors, axis=0)


def decode_yunet(outputs: Outputs, width: int, height: int, min_score: float) -> Candidates:
    """Decode YuNet: class, objectness, box and points of each cell, at strides 8, 16 and 32.

    The score is the geometric mean of class and objectness, so that it does not matter which of the two is which.
    Source of the formulas: OpenCV, `modules/objdetect/src/face_detect.cpp` (Apache-2.0).

    Args:
        outputs: four of each stride: (n, 1), (n, 1), (n, 4) centre and logarithm of the size, (n, 10), in strides.
        width: of the input in pixels.
        height: of the input in pixels.
        min_score: in [0, 1].
    """
    parts = []
    for stride in STRIDES:
        cells = cell_corners(width, height, stride)
        first, second = _of_shape(outputs, len(cells), 1)
        (box,), (moves,) = _of_shape(outputs, len(cells), 4), _of_shape(outputs, len(cells), 10)
        scores = np.sqrt(np.clip(first, 0, 1) * np.clip(second, 0, 1))[:, 0]
        kept = np.flatnonzero(scores >= min_score)
        centres = cells[kept] + box[kept, :2] * stride
        half = np.exp(np.minimum(box[kept, 2:], _LARGEST_LOG)) * stride / 2
        points = cells[kept, None] + moves[kept].reshape(-1, 5, 2) * stride
        parts.append(Candidates(np.concatenate([centres - half, centres + half], axis=1), scores[kept], points))
    return _to_centres(concatenate(parts))


def decode_scrfd(outputs: Outputs, width: int, height: int, min_score: float) -> Candidates:
    """Decode SCRFD: score, distances to the edges of the box, and points of two anchors at each cell.

    Source of the formulas: InsightFace, `detection/scrfd/tools/scrfd.py` (MIT).

    Args:
        outputs: of each of the strides 8, 16 and 32: (n, 1), (n, 4) left, top, right, bottom, and, in files with
            points, (n, 10), in strides.
        width: of the input in pixels.
        height: of the input in pixels.
        min_score: in [0, 1].
    """
    parts = []
    for stride in STRIDES:
        cells = cell_corners(width, height, stride, SCRFD_ANCHORS)
        (scores,), (edges,) = _of_shape(outputs, len(cells), 1), _of_shape(outputs, len(cells), 4)
        kept = np.flatnonzero(scores[:, 0] >= min_score)
        near, far = edges[kept, :2] * stride, edges[kept, 2:] * stride
        boxes = np.concatenate([cells[kept] - near, cells[kept] + far], axis=1)
        moves = _of_shape(outputs, len(cells), 10)
        points = cells[kept, None] + moves[0][kept].reshape(-1, 5, 2) * stride if moves else np.zeros((len(kept), 0, 2))
        parts.append(Candidates(boxes, scores[kept, 0], points))
    return _to_centres(concatenate(parts))


def decode_ultraface(outputs: Outputs, width: int, height: int, min_score: float) -> Candidates:
    """Decode UltraFace, whose file decodes its boxes itself; it has no points.

    Source: `version-RFB-320.onnx` of Ultra-Light-Fast-Generic-Face-Detector-1MB (MIT).

    Args:
        outputs: (n, 2) probabilities of background and face, and (n, 4) edges of the boxes in parts of the input.
        width: of the input in pixels.
        height: of the input in pixels.
        min_score: in [0, 1].
    """
    (scores,) = (output for output in outputs if output.shape[1] == 2)
    (boxes,) = (output for output in outputs if output.shape[1] == 4)
    kept = np.flatnonzero(scores[:, 1] >= min_score)
    edges = boxes[kept].astype(np.float64) * (width, height, width, height)
    return _to_centres(Candidates(edges, scores[kept, 1].astype(np.float64), np.zeros((len(kept), 0, 2))))


def _of_shape(outputs: Outputs, rows: int, channels: int) -> list[Array]:
    """Return the outputs of a shape, as doubles."""
    return [output.astype(np.float64) for output in outputs if output.shape == (rows, channels)]


def _to_centres(found: Candidates) -> Candidates:
    """Return candidates whose positions count from edges of pixels as positions that count from their centres."""
    return Candidates(found.boxes - 0.5, found.scores, found.points - 0.5)
