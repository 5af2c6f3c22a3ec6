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
        corners: (n, 3) vertices of the triangle seen.
        weights: (n, 3) barycentric coordinates of the pixel's centre.
        depth: (height * width,) larger is nearer; -inf where nothing is.
    """

    pixel: Ints
    corners: Ints
    weights: Floats
    depth: Floats

    def interpolate(self, values: Floats) -> Floats:
        """Values (v, c) at the vertices -> (n, c) at the pixels."""
        out = values[self.corners[:, 0]] * self.weights[:, :1]
        out += values[self.corners[:, 1]] * self.weights[:, 1:2]
        out += values[self.corners[:, 2]] * self.weights[:, 2:]
        return out


def _spread(corners: Floats, area: Floats, width: int, height: int) -> tuple[Ints, Ints, Floats, Floats]:
    """Pixels inside triangles (f, 3, 2) of signed areas (f,): (triangle, pixel, weight of corner 1, of corner 2)."""
    (ax, ay), (bx, by), (cx, cy) = corners.transpose(1, 2, 0)
    left = np.maximum(np.ceil(np.minimum(np.minimum(ax, bx), cx)), 0).astype(np.int32)
    top = np.maximum(np.ceil(np.minimum(np.minimum(ay, by), cy)), 0).astype(np.int32)
    right = np.minimum(np.floor(np.maximum(np.maximum(ax, bx), cx)), width - 1).astype(np.int32)
    bottom = np.minimum(np.floor(np.maximum(np.maximum(ay, by), cy)), height - 1).astype(np.int32)
    columns, rows = np.maximum(right - left + 1, 0), np.maximum(bottom - top + 1, 0)
    # First every row of every box, then every pixel of every row: no division.
    owner = np.repeat(np.arange(len(corners)), rows)
    row = np.arange(len(owner)) - (np.cumsum(rows) - rows)[owner] + top[owner]
    # Both weights are linear in (x, y): start at the row's first pixel and step to the right.
    step1, step2 = (cy - ay) / area, -(by - ay) / area
    down, across = row.astype(np.float32) - ay[owner], (left - ax)[owner]
    start1 = step1[owner] * across - ((cx - ax) / area)[owner] * down
    start2 = step2[owner] * across + ((bx - ax) / area)[owner] * down
    long = columns[owner]
    line = np.repeat(np.arange(len(owner)), long)
    place = (np.arange(len(line)) - (np.cumsum(long) - long)[line]).astype(np.float32)
    one = start1.astype(np.float32)[line] + step1[owner].astype(np.float32)[line] * place
    two = start2.astype(np.float32)[line] + step2[owner].astype(np.float32)[line] * place
    inside = np.flatnonzero((np.minimum(one, two) >= -1e-4) & (one + two <= 1 + 1e-4))
    line = line[inside]
    pixel = (row * width + left[owner])[line] + place[inside].astype(np.int64)
    return owner[line], pixel, one[inside], two[inside]


def rasterise(
    xy: Floats, depth: Floats, faces: Ints, width: int, height: int
) -> Fragments:
    """Draw triangles (f, 3) over vertices at pixels (v, 2) with depths (v,); larger depth hides smaller.

    Triangles that turn clockwise on the screen face away and are left out.
    """
    corners = xy[faces]
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    keep = area < -1e-6
    faces = faces[keep]
    triangle, pixel, one, two = _spread(corners[keep], area[keep], width, height)
    near, far1, far2 = depth[faces].T
    z = near[triangle] + one * (far1 - near)[triangle] + two * (far2 - near)[triangle]
    nearest = np.full(width * height, -np.inf, np.float32)
    np.maximum.at(nearest, pixel, z)
    owner = np.full(width * height, -1, np.int32)
    seen = np.flatnonzero(z == nearest[pixel])
    owner[pixel[seen]] = seen
    pixel_out = np.flatnonzero(owner >= 0).astype(np.int32)
    chosen = owner[pixel_out]
    one, two = one[chosen], two[chosen]
    weights = np.stack([1 - one - two, one, two], 1)
    return Fragments(pixel_out, faces[triangle[chosen]], weights, nearest)
