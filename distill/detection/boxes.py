"""Boxes of detections in numpy: overlap, non-maximum suppression, and the tiles a photo is searched in."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError

Square = tuple[float, float, float]
Array = NDArray[np.float64]
Suppression = Literal["hard", "soft"]

# Photos with an aspect ratio above this, or a longer side above this many inputs, are searched in tiles as well.
_WIDE = 2.0
_LARGE = 4.0
# Faces up to this part of a tile are whole in one of them; larger ones are found in the whole photo.
_SHARED = 1 / 3
# Of photos searched in tiles: a box that lies in a better one by this part is that of a face cut off by a tile.
INSIDE_TILED = 0.6

# WIDER FACE's boxes reach up to the forehead, the points to the brows only. Measured on 28 faces of WFLW's test lists
# whose photos are in WIDER val: relative to the tight box of the points the edges are 0.01 of its width (left), -0.31
# of its height (top), 0.00 (right) and -0.01 (bottom) away, median, with a deviation between faces of 0.06, 0.14, 0.05
# and 0.04.
FOREHEAD = 0.31
_TINY = float(np.finfo(np.float64).tiny)


def overlap(box: Array, others: Array) -> tuple[Array, Array]:
    """Return the intersection of a box (4,) with boxes (n, 4) over their union and over the smaller area."""
    across, down = (
        np.minimum(box[axis + 2], others[:, axis + 2]) - np.maximum(box[axis], others[:, axis]) for axis in (0, 1)
    )
    shared = np.maximum(across, 0) * np.maximum(down, 0)
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    union, smaller = area + areas - shared, np.minimum(area, areas)
    return shared / np.maximum(union, _TINY), shared / np.maximum(smaller, _TINY)


def group(boxes: Array, scores: Array, iou: float = 0.3, inside: float = 0.6) -> list[NDArray[np.intp]]:
    """Weighted non-maximum suppression: return the indices of the boxes (n, 4) of each face, best face first.

    Boxes that overlap a better one by more than `iou` of the union belong to its face. Boxes that lie in it by more
    than `inside` of the smaller area (the part of a cut-off face in a tile) belong to no face.
    """
    left = np.argsort(-scores, kind="stable")
    groups = []
    while len(left):
        union, smaller = overlap(boxes[left[0]], boxes[left])
        same = union > iou
        same[0] = True  # a box without area does not overlap itself
        groups.append(left[same])
        left = left[~same & (smaller <= inside)]
    return groups


def soft_nms(
    boxes: Array, scores: Array, iou: float, min_score: float, inside: float
) -> tuple[NDArray[np.intp], Array]:
    """Soft non-maximum suppression: return the indices of the boxes (n, 4) kept and their scores, best first.

    A box that overlaps a better one by more than `iou` of the union has its score multiplied by 1 - IoU (the linear
    form of Bodla et al., ICCV 2017, arXiv 1704.04503) and is dropped below `min_score`. Of other boxes, those that lie
    in a better one by more than `inside` of the smaller area are dropped, as by `group`.
    """
    left, lowered = np.arange(len(boxes)), np.array(scores, np.float64)
    kept, final = list[int](), list[float]()
    while len(left):
        best = int(lowered.argmax())
        kept.append(left[best])
        final.append(lowered[best])
        union, smaller = overlap(boxes[left[best]], boxes[left])
        same = union > iou
        lowered = np.where(same, lowered * (1 - union), lowered)
        stay = (lowered >= min_score) & (same | (smaller <= inside))
        stay[best] = False
        left, lowered = left[stay], lowered[stay]
    return np.array(kept, np.intp), np.array(final)


def require_suppression(suppression: str) -> None:
    """Refuse the name of an unknown suppression.

    Raises:
        ConfigError: neither `hard` nor `soft`.
    """
    if suppression not in get_args(Suppression):
        raise ConfigError(f"detector: suppression '{suppression}': give one of {', '.join(get_args(Suppression))}")


def suppress(
    boxes: Array, scores: Array, suppression: Suppression, iou: float, min_score: float, inside: float
) -> tuple[NDArray[np.intp], Array]:
    """Return the indices of the boxes (n, 4) that are left, best first, and their scores.

    Args:
        suppression: `hard` drops the weaker of two boxes, `soft` multiplies its score by 1 - IoU.
        iou: above which two boxes are suppressed.
        min_score: boxes whose score `soft` lowers below are dropped.
        inside: see `group`.
    """
    if suppression == "soft":
        return soft_nms(boxes, scores, iou, min_score, inside)
    best = np.array([indices[0] for indices in group(boxes, scores, iou, inside)], np.intp)
    return best, scores[best]


def tile_windows(width: int, height: int, side: int, shared: float) -> Iterator[tuple[int, int, int, int]]:
    """Yield (left, top, right, bottom) of the square tiles of a photo, all inside it.

    Args:
        width: of the photo in pixels.
        height: of the photo in pixels.
        side: of a tile in pixels.
        shared: least part of a tile that its neighbour shows too; faces up to this size are whole in one of them.
    """
    for y in _tile_centres(height, side, shared):
        for x in _tile_centres(width, side, shared):
            left, top = max(0, round(x + 0.5 - side / 2)), max(0, round(y + 0.5 - side / 2))
            yield left, top, min(width, left + side), min(height, top + side)


def photo_tiles(width: int, height: int, size: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the tiles of a photo for an input of `size` pixels, as `tile_windows`; none where the whole is enough."""
    longer, shorter = max(width, height), min(width, height)
    if longer > _WIDE * shorter or longer > _LARGE * size:
        yield from tile_windows(width, height, max(1, min(shorter, longer // 2)), _SHARED)


def squares(width: int, height: int, tiles: tuple[int, ...]) -> Iterator[Square]:
    """Yield (side, centre x, centre y) of overlapping squares that cover a photo.

    Each entry n of `tiles` gives squares of side max(width, height) / n, neighbours overlapping by a quarter at least.
    """
    for parts in tiles:
        side = max(width, height) / parts
        for y in _tile_centres(height, side):
            for x in _tile_centres(width, side):
                yield side, float(x), float(y)


def _tile_centres(length: int, side: float, shared: float = 0.25) -> Array:
    """Return the middles of tiles of this side along a photo's side; neighbours share this part at least."""
    if length <= side:
        return np.array([(length - 1) / 2])
    count = int(np.ceil((length - side) / ((1 - shared) * side))) + 1
    return np.linspace(side / 2, length - side / 2, count) - 0.5
