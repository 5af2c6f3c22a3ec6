"""Average precision of WIDER FACE's official evaluation (`eval_tools`), for its easy, medium or hard faces.

Scores are scaled to [0, 1] over all photos; precision and recall are taken at 1,000 thresholds. A detection takes the
face that it overlaps most; on a face that this difficulty does not count it is neither true nor false, and a second one
on a face that counts is false. Sides of boxes in the overlap are one pixel longer than their width and height, as in
the official code, https://shuoyang1213.me/WIDERFACE.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DIFFICULTIES = ("easy", "medium", "hard")
IOU = 0.5
_THRESHOLDS = 1000


class WiderPhoto(NamedTuple):
    """Detections and faces of a photo; boxes are x, y, width, height in pixels of the photo.

    Attributes:
        found: (d, 4) detections, in any order.
        scores: (d,).
        faces: (k, 4), all faces of the official file.
        counted: (k,) bool; faces of the difficulty that is measured.
    """

    found: Array
    scores: Array
    faces: Array
    counted: NDArray[np.bool_]


def official_average_precision(photos: Sequence[WiderPhoto], iou: float = IOU) -> float:
    """Return the official average precision over photos.

    Returns:
        a number in [0, 1]; NaN where no face counts.
    """
    total = sum(int(photo.counted.sum()) for photo in photos)
    if not total:
        return float("nan")
    everything = np.concatenate([np.asarray(photo.scores, np.float64) for photo in photos])
    if not len(everything):
        return 0.0
    low, high = float(everything.min()), float(everything.max())
    levels = 1 - np.arange(1, _THRESHOLDS + 1) / _THRESHOLDS
    counts = np.zeros((2, _THRESHOLDS))
    for photo in photos:
        if len(photo.found) and len(photo.faces):
            scaled = (np.asarray(photo.scores, np.float64) - low) / (high - low) if high > low else photo.scores
            counts += _counts(photo._replace(scores=scaled), levels, iou)
    proposed, found = counts
    precision = np.divide(found, proposed, out=np.zeros(_THRESHOLDS), where=proposed > 0)
    return _area(found / total, precision)


def _counts(photo: WiderPhoto, levels: Array, iou: float) -> Array:
    """Return (2, thresholds): detections that are not on ignored faces, and faces found, from each score on."""
    order = np.argsort(-photo.scores, kind="stable")
    overlap = _official_iou(photo.found[order], photo.faces)
    faces, best = overlap.argmax(axis=1), overlap.max(axis=1)
    on_face = best >= iou
    proposed = ~(on_face & ~photo.counted[faces])
    first = np.zeros(len(order), bool)
    true = np.flatnonzero(on_face & photo.counted[faces])
    first[true[np.unique(faces[true], return_index=True)[1]]] = True
    kept = np.searchsorted(-photo.scores[order], -levels, side="right")  # detections with at least each score
    return np.stack([np.concatenate([[0], values.cumsum()])[kept] for values in (proposed, first)]).astype(np.float64)


def _official_iou(boxes: Array, others: Array) -> Array:
    """Return the overlap (d, k) with the official code's extra pixel."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], (others[:, :2] + others[:, 2:])[None])
    shared = np.clip(high - low + 1, 0, None).prod(axis=-1)
    area, areas = (boxes[:, 2:] + 1).prod(axis=1), (others[:, 2:] + 1).prod(axis=1)
    return np.asarray(shared / (area[:, None] + areas[None] - shared))


def _area(recall: Array, precision: Array) -> float:
    """Return the area under the curve, whose precision is made monotonic."""
    recall = np.concatenate([[0.0], recall, [1.0]])
    envelope = np.maximum.accumulate(np.concatenate([[0.0], precision, [0.0]])[::-1])[::-1]
    return float(((recall[1:] - recall[:-1]) * envelope[1:]).sum())
