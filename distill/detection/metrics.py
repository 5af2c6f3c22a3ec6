"""Metrics of face detectors: average precision, recall by face size at a rate of false boxes.

The rules are those of WIDER FACE's official evaluation: per photo, detections in descending score; each takes the face
it overlaps most; a face counts once; a detection on an ignored face is neither true nor false.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class PhotoMatch(NamedTuple):
    """Result of one photo.

    Attributes:
        scores: (d,), of its detections.
        true: (d,) bool; the detection is the first on a face that counts.
        false: (d,) bool; the detection is on no face, ignored or not.
        found: (k,), of every face the score of the detection that found it, -inf where it is missed or ignored.
        ignored: (k,) bool.
        sizes: (k,), longer side of every face in pixels of the photo.
    """

    scores: Array
    true: NDArray[np.bool_]
    false: NDArray[np.bool_]
    found: Array
    ignored: NDArray[np.bool_]
    sizes: Array


def iou_matrix(boxes: Array, others: Array) -> Array:
    """Return the intersection over union (n, k) of boxes (n, 4) and others (k, 4), both x0, y0, x1, y1."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    return shared / np.maximum(area[:, None] + areas[None] - shared, np.finfo(np.float64).tiny)


def match_photo(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    faces: NDArray[np.floating],
    ignored: NDArray[np.bool_],
    iou: float = 0.5,
) -> PhotoMatch:
    """Match the detections of one photo to its faces.

    Args:
        boxes: (d, 4) detections, x0, y0, x1, y1, in any order.
        scores: (d,).
        faces: (k, 4).
        ignored: (k,).
        iou: least overlap of a detection with its face.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    found_boxes = np.asarray(boxes, np.float64).reshape(-1, 4)[order]
    ordered = np.asarray(scores, np.float64)[order]
    labelled = np.asarray(faces, np.float64).reshape(-1, 4)
    true, false = np.zeros(len(ordered), bool), np.zeros(len(ordered), bool)
    found = np.full(len(labelled), -np.inf)
    overlap = iou_matrix(found_boxes, labelled)
    for index, score in enumerate(ordered):
        face = int(overlap[index].argmax()) if len(labelled) else -1
        if face < 0 or overlap[index, face] < iou:
            false[index] = True
        elif not ignored[face]:
            true[index] = found[face] == -np.inf
            # A second box on a face is a false one.
            false[index] = not true[index]
            found[face] = max(found[face], score)
    sizes = (labelled[:, 2:] - labelled[:, :2]).max(axis=1, initial=0)
    return PhotoMatch(ordered, true, false, found, np.asarray(ignored, bool), sizes)


def average_precision(matches: Sequence[PhotoMatch]) -> float:
    """Return the area under the precision-recall curve, whose precision is made monotonic (VOC 2010).

    Returns:
        a number in [0, 1]; NaN without any face that counts.
    """
    if not any((~match.ignored).any() for match in matches):
        return float("nan")
    shares, precision = precision_recall(matches)
    return float(((shares[1:] - shares[:-1]) * precision[1:]).sum())


def precision_recall(matches: Sequence[PhotoMatch]) -> tuple[Array, Array]:
    """Return recall (n,) and precision (n,) at all score thresholds, from the highest one on; there is a face.

    The curve begins at recall 0; its precision is made monotonic (VOC 2010).
    """
    total = sum(int((~match.ignored).sum()) for match in matches)
    scores = np.concatenate([match.scores for match in matches])
    order = np.argsort(-scores, kind="stable")
    true = np.concatenate([match.true for match in matches])[order].cumsum()
    false = np.concatenate([match.false for match in matches])[order].cumsum()
    precision = np.concatenate([[1.0], true / np.maximum(1, true + false)])
    return np.concatenate([[0.0], true / total]), np.maximum.accumulate(precision[::-1])[::-1]


def score_at_false_rate(matches: Sequence[PhotoMatch], false_per_photo: float) -> float:
    """Return the lowest score threshold at which no more than this many false boxes a photo remain."""
    false = np.sort(np.concatenate([match.scores[match.false] for match in matches]))[::-1]
    allowed = int(false_per_photo * len(matches))
    return float(np.nextafter(false[allowed], np.inf)) if allowed < len(false) else 0.0


def recall(matches: Sequence[PhotoMatch], score: float, least: float = 0.0, most: float = np.inf) -> float:
    """Return the share of faces that were found with at least this score, of those with `least` <= size < `most`.

    Size is the longer side in pixels of the photo; NaN without any such face.
    """
    found = np.concatenate([match.found for match in matches])
    sizes = np.concatenate([match.sizes for match in matches])
    counts = ~np.concatenate([match.ignored for match in matches]) & (sizes >= least) & (sizes < most)
    return float((found[counts] >= score).mean()) if counts.any() else float("nan")
