"""Linear calibration from a detector's own box and five points to the tight box of the 68 landmarks.

Data sets of face boxes disagree about forehead, chin and ears; landmark networks are trained on the tight box of the
points. The table is fitted on training faces with landmarks by `scripts/release_detector.py`.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError

Array = NDArray[np.float64]

N_POINTS = 5
# 1, the width, and x and y of the points.
N_FEATURES = 2 + 2 * N_POINTS
_MIRRORED_POINTS = [1, 0, 2, 4, 3]

# A table (12, 4) as stored with a detector; empty: not calibrated.
StoredTable = tuple[tuple[float, ...], ...]


def require_table(to_box: StoredTable) -> None:
    """Refuse a stored table of another shape.

    Raises:
        ConfigError: it is not empty and not (12, 4).
    """
    if to_box and np.shape(to_box) != (N_FEATURES, 4):
        raise ConfigError(f"detector: to_box is {np.shape(to_box)}, not ({N_FEATURES}, 4)")


def stored_table(rows: Iterable[Iterable[float]]) -> StoredTable:
    """Return the rows of a table as they are stored."""
    return tuple(tuple(float(value) for value in row) for row in rows)


def as_table(to_box: StoredTable) -> Array | None:
    """Return a stored table as an array; None where there is no calibration."""
    return np.array(to_box) if to_box else None


def _frame(boxes: Array) -> tuple[Array, Array]:
    """Return the centres (n, 2) and the mean sides (n, 1) of boxes."""
    low, high = boxes[:, :2], boxes[:, 2:]
    sides = high - low
    return (low + high) / 2, (sides[:, :1] + sides[:, 1:]) / 2


def features(boxes: Array, points: Array) -> Array:
    """Return what a box is predicted from, (n, 12), relative to the own boxes (n, 4) and in units of their mean side.

    Args:
        boxes: own boxes of the detector, x0, y0, x1, y1.
        points: (n, 5, 2).
    """
    centres, sides = _frame(boxes)
    width = (boxes[:, 2:3] - boxes[:, :1]) / sides
    relative = (points - centres[:, None]) / sides[:, None]
    return np.concatenate([np.ones_like(sides), width, relative.reshape(len(boxes), N_FEATURES - 2)], axis=1)


def calibrated(boxes: Array, points: Array, table: Array) -> Array:
    """Return the tight boxes (n, 4) of the 68 points, predicted from own boxes (n, 4) and five points (n, 5, 2)."""
    centres, sides = _frame(boxes)
    found = features(boxes, points) @ table * sides
    centres, half = centres + found[:, 2:], found[:, :2] / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def fit_table(boxes: Array, points: Array, tight: Array, ridge: float = 1e-3) -> Array:
    """Return the table (12, 4) of the least squared error over faces and their mirror images.

    Args:
        boxes: (n, 4), own boxes.
        points: (n, 5, 2).
        tight: (n, 4), the boxes wanted.
        ridge: weight of the squared coefficients of everything but the constant, per face.
    """
    flip = np.array([-1.0, 1.0])
    boxes = np.concatenate([boxes, _mirrored(boxes)])
    points = np.concatenate([points, points[:, _MIRRORED_POINTS] * flip])
    tight = np.concatenate([tight, _mirrored(tight)])
    centres, sides = _frame(boxes)
    wanted = np.concatenate([tight[:, 2:] - tight[:, :2], (tight[:, :2] + tight[:, 2:]) / 2 - centres], axis=1) / sides
    rows = features(boxes, points)
    means = rows.mean(axis=0)
    means[0] = 0  # the constant is not centred
    rows, penalty = rows - means, np.full(N_FEATURES, ridge * len(rows))
    penalty[0] = 0
    table = np.linalg.solve(rows.T @ rows + np.diag(penalty), rows.T @ wanted)
    table[0] -= means @ table
    return np.asarray(table)


def _mirrored(boxes: Array) -> Array:
    return boxes[:, [2, 1, 0, 3]] * np.array([-1.0, 1.0, -1.0, 1.0])
