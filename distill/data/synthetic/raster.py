"""A z-buffer without a loop over triangles: every pixel of every bounding box at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.integer]


@dataclass(frozen=True)
class Fragments:
    """The nearest surface of each covered pixel, n of them.

    Attributes:
        pixel: (n,) position in the flattened picture, unique.
        corners: (3, n) vertices of the visible triangle.
        weights: (3, n) barycentric coordinates of the pixel's centre.
        depth: (height * width,) larger is nearer; -inf where nothing is.
    """

    pixel: Ints
    corners: Ints
    weights: Floats
    depth: Floats

    def where(self, chosen: NDArray[np.integer]) -> "Fragments":
        """Only some of the pixels, by index."""
        return Fragments(
            self.pixel.take(chosen), self.corners.take(chosen, 1), self.weights.take(chosen, 1), self.depth
        )

    def interpolate(self, values: Floats) -> Floats:
        """Values (c, v) at the vertices -> (c, n) at the pixels."""
        out = values.take(self.corners[0], 1) * self.weights[0]
        out += values.take(self.corners[1], 1) * self.weights[1]
        out += values.take(self.corners[2], 1) * self.weights[2]
        return out


def _bounds(starts: list[Floats], steps: list[Floats]) -> tuple[Floats, Floats]:
    """Where all of start + step * x >= 0 hold: lowest and highest x."""
    low, high = np.full_like(starts[0], -np.inf), np.full_like(starts[0], np.inf)
    for start, step in zip(starts, steps, strict=True):
        # A step of zero leaves the row in or out as a whole; a tiny one gives the same result with a far root.
        step = np.where(np.abs(step) < 1e-9, np.float32(1e-9), step)
        root = -start / step
        low = np.maximum(low, np.where(step > 0, root, -np.inf))
        high = np.minimum(high, np.where(step > 0, np.inf, root))
    return low, high


def _spread(x: Floats, y: Floats, area: Floats, width: int, height: int) -> tuple[Ints, Ints, Floats, Floats]:
    """Pixels inside triangles with corners x, y (3, f) and doubled signed areas (f,).

    Returns: for each pixel in a triangle: (triangle, pixel, weight of corner 1, weight of corner 2).
    """
    top = np.maximum(np.ceil(np.minimum(np.minimum(y[0], y[1]), y[2])), 0).astype(np.int32)
    bottom = np.minimum(np.floor(np.maximum(np.maximum(y[0], y[1]), y[2])), height - 1).astype(np.int32)
    rows = np.maximum(bottom - top + 1, 0)
    triangle = np.repeat(np.arange(len(area), dtype=np.int32), rows)
    row = np.arange(len(triangle), dtype=np.int32) + (top - np.cumsum(rows) + rows).astype(np.int32)[triangle]
    # Both weights are linear in (x, y); on a row they are start + step * x with x counted from corner 0.
    planes = np.stack([y[2] - y[0], x[0] - x[2], y[0] - y[1], x[1] - x[0]]) / area
    step1, turn1, step2, turn2 = planes.take(triangle, 1)
    # float32 minus int32 would be float64.
    down = row.astype(np.float32) - y[0].take(triangle)
    origin = x[0].take(triangle)
    start1 = turn1 * down
    start2 = turn2 * down
    slack = np.float32(1e-4)  # pixels on a shared edge may belong to both triangles but never to none
    low, high = _bounds([start1 + slack, start2 + slack, 1 + slack - start1 - start2], [step1, step2, -step1 - step2])
    first = np.ceil(np.maximum(low + origin, 0)).astype(np.int32)
    last = np.floor(np.minimum(high + origin, width - 1)).astype(np.int32)
    long = np.maximum(last - first + 1, 0)
    line = np.repeat(np.arange(len(triangle), dtype=np.int32), long)
    column = np.arange(len(line), dtype=np.int32) + (first - np.cumsum(long) + long).astype(np.int32)[line]
    shift = column.astype(np.float32) - origin.take(line)
    weight1 = start1.take(line) + step1.take(line) * shift
    weight2 = start2.take(line) + step2.take(line) * shift
    return triangle.take(line), (row * np.int32(width)).take(line) + column, weight1, weight2


def _mix(corners: Floats, triangle: Ints, weight1: Floats, weight2: Floats) -> Floats:
    """Values at the corners (3, f) of triangles -> at positions inside them."""
    zero, first, second = corners
    return zero.take(triangle) + weight1 * (first - zero).take(triangle) + weight2 * (second - zero).take(triangle)


def rasterise(
    xy: Floats, depth: Floats, faces: Ints, width: int, height: int, cover: Floats | None = None
) -> Fragments:
    """Draw triangles (f, 3) over vertices at pixels (v, 2) with depths (v,); larger depth hides smaller.

    Triangles that turn clockwise on the screen face away and are left out, and so are
    pixels where `cover` (v,) is negative: holes hide nothing.
    """
    x, y = (np.ascontiguousarray(c).take(faces.T) for c in xy.T)
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    keep = np.flatnonzero(area < -1e-6)
    faces = np.ascontiguousarray(faces.T).take(keep, 1)
    triangle, pixel, weight1, weight2 = _spread(x.take(keep, 1), y.take(keep, 1), area.take(keep), width, height)
    if cover is not None:
        there = np.flatnonzero(_mix(cover.take(faces), triangle, weight1, weight2) >= 0)
        triangle = triangle.take(there)
        pixel = pixel.take(there)
        weight1 = weight1.take(there)
        weight2 = weight2.take(there)
    z = _mix(depth.take(faces), triangle, weight1, weight2)
    nearest = np.full(width * height, -np.inf, np.float32)
    np.maximum.at(nearest, pixel, z)
    fragment_of = np.full(width * height, -1, np.int32)
    visible = np.flatnonzero(z == nearest.take(pixel))
    fragment_of[pixel.take(visible)] = visible
    pixel_out = np.flatnonzero(fragment_of >= 0)
    chosen = fragment_of.take(pixel_out)
    weight1 = weight1.take(chosen)
    weight2 = weight2.take(chosen)
    weights = np.stack([1 - weight1 - weight2, weight1, weight2])
    return Fragments(pixel_out, faces.take(triangle.take(chosen), 1), weights, nearest)
