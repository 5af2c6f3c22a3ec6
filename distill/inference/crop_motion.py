"""Move the box of a face with its landmarks, so that the next frame is cropped without a detector."""

import numpy as np
from numpy.typing import NDArray

from distill.geometry import Box

# Share of the way that a crop goes towards the face in a frame, and the distance, in sides of the box, from which it
# goes all of it. Chosen on the development clips of scripts/studies/video.py: a crop that stands still in the jitter of
# the points gives less jitter itself, and it must not lose a face that moves fast.
_SHARE = 0.25
_FAR = 0.15


def moved_box(box: Box, before: NDArray[np.floating], after: NDArray[np.floating]) -> Box:
    """Return a box moved and scaled as landmarks (k, 2) moved, by the least-squares translation and their spread.

    Centroid and spread average over all points, so that they jitter less than the tight box of the points, which hangs
    on four of them, and do not need a scheme whose points bound the training box.
    """
    middle, target = before.mean(0), after.mean(0)
    zoom = float(np.sqrt(((after - target) ** 2).sum() / max(((before - middle) ** 2).sum(), np.finfo(float).tiny)))
    x, y = (np.array(box.centre) - middle) * zoom + target
    half_width, half_height = box.width * zoom / 2, box.height * zoom / 2
    return Box(float(x - half_width), float(y - half_height), float(x + half_width), float(y + half_height))


def steadied(last: Box, wanted: Box) -> Box:
    """Return the box of the next crop: `last` on its way to `wanted`, and `wanted` itself where the face is far off."""
    way = np.array(wanted) - np.array(last)
    distance = float(np.abs(way).max()) / max(wanted.width, wanted.height)
    share = min(1.0, max(_SHARE, distance / _FAR))
    return Box(*(float(value) for value in np.array(last) + share * way))


def is_plausible(last: Box, box: Box, width: int, height: int) -> bool:
    """Whether a face may have moved from one box to another between two frames and still be in the photo."""
    x, y = box.centre
    zoom = box.width / last.width
    return bool(np.isfinite(np.array(box)).all()) and 0.5 < zoom < 2 and 0 <= x < width and 0 <= y < height
