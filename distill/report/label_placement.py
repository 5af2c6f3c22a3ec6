"""Placement of labels in a crowded plot: beside their points, without overlap."""

from collections.abc import Iterator, Sequence
from math import cos, hypot, pi, sin
from typing import NamedTuple

# Directions that are tried, the best first: right, left, above, below, then between them.
_ANGLES = tuple(pi * eighths / 8 for eighths in (0, 8, 4, 12, 2, 6, 14, 10, 1, 7, 9, 15, 3, 5, 11, 13))
# How far from its disc a name may be, and what lies between it and its neighbours, in heights of a name.
_DISTANCES, _GAP = (0.25, 1.0, 2.0, 3.0, 4.5), 0.15


class Disc(NamedTuple):
    """A point as it is drawn: centre and radius."""

    x: float
    y: float
    radius: float


class Box(NamedTuple):
    """A rectangle: its left, bottom, right and top, y upwards."""

    left: float
    bottom: float
    right: float
    top: float


def place_labels(discs: Sequence[Disc], sizes: Sequence[tuple[float, float]], frame: Box) -> list[Box]:
    """Return where names of these widths and heights are readable, in the units of the discs.

    One after the other takes the nearest free position, the crowded ones first; where nothing is free, the one that
    covers least.
    """
    boxes: dict[int, Box] = {}
    order = sorted(range(len(discs)), key=lambda i: min(_distances(discs, i), default=0.0))
    for i in order:
        taken = [*boxes.values(), *map(_around, discs)]
        boxes[i] = min(_candidates(discs[i], *sizes[i]), key=lambda box: _covered(box, taken, frame))
    return [boxes[i] for i in range(len(discs))]


def _distances(discs: Sequence[Disc], i: int) -> Iterator[float]:
    return (hypot(disc.x - discs[i].x, disc.y - discs[i].y) for j, disc in enumerate(discs) if j != i)


def _around(disc: Disc) -> Box:
    return Box(disc.x - disc.radius, disc.y - disc.radius, disc.x + disc.radius, disc.y + disc.radius)


def _candidates(disc: Disc, width: float, height: float) -> Iterator[Box]:
    for distance in _DISTANCES:
        reach = disc.radius + distance * height
        for angle in _ANGLES:
            # The side of the name that faces the disc touches the circle of this reach.
            x = disc.x + reach * cos(angle) + (cos(angle) - 1) / 2 * width
            y = disc.y + reach * sin(angle) + (sin(angle) - 1) / 2 * height
            yield Box(x, y, x + width, y + height)


def _covered(box: Box, taken: Sequence[Box], frame: Box) -> float:
    """Return the area that is covered already or lies outside the frame."""
    gap = _GAP * (box.top - box.bottom)
    wide = Box(box.left - gap, box.bottom - gap, box.right + gap, box.top + gap)
    return sum(_common(wide, other) for other in taken) + _common(wide, wide) - _common(wide, frame)


def _common(a: Box, b: Box) -> float:
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.top, b.top) - max(a.bottom, b.bottom)
    return max(0.0, width) * max(0.0, height)
