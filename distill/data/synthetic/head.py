"""The head: a loft of horizontal sections, modelled on measured proportions of adults, all in centimetres.

Every point of the skin has *template* coordinates: its position on one fixed smooth head, before any identity or
expression. Features (lids, lips, brows) are curves drawn on the template, the face's texture is the template seen from
the front, and the mesh carries both into space. A landmark is therefore a template point, and lies exactly where the
feature is rendered, whatever the shape and pose.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.curves import gauss, smoothstep, spline
from distill.data.synthetic.features import NOSE_TIP_Y, Mouth
from distill.data.synthetic.parameters import Expression, Identity

Array = NDArray[Any]

# Sections from under the chin to the crown: height y, half-width, z of the widest point, z of the front and the back.
_SECTIONS = np.array(
    [
        [-11.35, 0.05, 7.10, 7.15, 7.05],
        [-11.20, 1.60, 7.00, 8.50, 5.60],
        [-10.60, 2.95, 6.10, 9.15, 3.60],
        [-9.60, 4.15, 4.50, 9.25, 1.00],
        [-8.40, 5.10, 3.00, 9.10, -1.00],
        [-7.00, 5.75, 2.10, 9.20, -3.40],
        [-5.50, 6.25, 1.80, 9.20, -5.20],
        [-4.00, 6.60, 1.80, 9.10, -6.50],
        [-2.00, 6.95, 1.90, 8.90, -7.60],
        [0.00, 7.10, 1.50, 8.80, -8.30],
        [2.00, 7.20, 0.80, 9.20, -9.00],
        [4.00, 7.40, 0.00, 9.30, -9.30],
        [6.00, 7.30, -0.60, 8.80, -9.20],
        [8.00, 6.60, -1.00, 7.40, -8.60],
        [9.70, 5.20, -1.00, 5.30, -7.00],
        [10.90, 3.10, -1.00, 2.40, -4.30],
        [11.35, 0.05, -1.00, -0.95, -1.05],
    ]
)
_COLUMN_ANGLES = np.concatenate([np.arange(0, 63, 3.5), np.arange(63, 90, 4.5), np.arange(90, 181, 10.0)])


@dataclass(frozen=True)
class Template:
    """The fixed grid: r rows from chin to crown, c columns around the head (closed).

    Attributes:
        position: (r, c, 3).
        angle: (c,) of each column in radians, 0 at the nose, positive to the viewer's right.
        front: (r, c) 1 on the face, 0 behind the ears.
        paint: (r, c, 2) where the texture is looked up; continues outwards behind the ears.
        faces: (f, 3) triangles over the flattened grid, counter-clockwise seen from outside.
    """

    position: Array
    angle: Array
    front: Array
    paint: Array
    faces: NDArray[np.int32]


def grid_faces(rows: int, columns: int, closed: bool, mirror_at: int = 0) -> NDArray[np.int32]:
    """Two triangles for each cell of a grid whose rows rise and whose columns run to the viewer's right.

    Cells left of column `mirror_at` are cut along the other diagonal, so that a symmetric head has a symmetric mesh.
    """
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    right = (column + 1) % columns
    a, b = row * columns + column, row * columns + right
    return _cut(a, b, a + columns, b + columns, column < mirror_at).reshape(-1, 3)


def _cut(a: Array, b: Array, c: Array, d: Array, mirrored: Array) -> NDArray[np.int32]:
    """Cells (...,) with corners a b below and c d above -> their two triangles (2, ..., 3)."""
    lower = np.stack([a, b, np.where(mirrored, c, d)], -1)
    upper = np.stack([np.where(mirrored, b, a), d, c], -1)
    return np.stack([lower, upper]).astype(np.int32)


def _middle_column() -> int:
    """The column on the nose."""
    return len(_COLUMN_ANGLES) - 1


@lru_cache
def template() -> Template:
    """Return the grid that all heads share."""
    angle = np.deg2rad(np.concatenate([-_COLUMN_ANGLES[:0:-1], _COLUMN_ANGLES[:-1]]))
    knots = np.arange(len(_SECTIONS), dtype=np.float64)
    v = np.concatenate([np.linspace(0, 3, 9)[:-1], np.linspace(3, 10.5, 34)[:-1], np.linspace(10.5, 16, 12)])
    y, width, middle, front_z, back_z = (section[:, None] for section in spline(knots, _SECTIONS, v).T)
    sin, cos = np.sin(angle)[None], np.cos(angle)[None]
    x = width * sin
    z = middle + np.where(cos > 0, front_z - middle, middle - back_z) * cos
    position = np.stack([x, np.broadcast_to(y, x.shape), z], -1)
    around = np.where(cos >= 0, x, np.sign(x) * (2 * width - np.abs(x)))
    paint = np.stack([around, position[..., 1]], -1)
    front = smoothstep(np.broadcast_to(cos, x.shape), -0.05, 0.25)
    return Template(position, angle, front, paint, grid_faces(len(v), len(angle), True, _middle_column()))


def _nose(x: Array, y: Array, identity: Identity) -> Array:
    """Height of the nose above the face."""
    tip = NOSE_TIP_Y
    bridge = 0.35 + 0.25 * identity.nose_bridge
    ridge = spline(
        [-5.5, -5.05, tip - 0.7, tip - 0.3, tip + 0.1, tip + 0.7, -2.0, -0.4, 0.9, 2.2],
        np.array([0, 0.45, 1.35, 1.9, 2.05, 1.9, 1.35 + 0.25 * identity.nose_hump, 0.6 + bridge * 0.5, bridge, 0])
        * np.r_[1, 1, identity.nose_length * np.ones(4), 1, 1, 1, 1],
        y[:, 0],
    )[:, None]
    wide = spline([-5.4, -4.5, -3.4, -2, 0, 2], [1.6, 1.5, 1.15, 0.9, 0.8, 1.3], y[:, 0])[:, None] * identity.nose_width
    across = np.clip(1 - (x / (wide * 1.15)) ** 2, 0, 1) ** 1.7
    wings = gauss(np.abs(x), y, 1.15 * identity.nose_width, -4.4, 0.45, 0.5) * 0.75
    ball = gauss(x, y, 0, tip + 0.05, 0.75 * identity.nose_width, 0.6) * 0.32 * identity.nose_ball
    return ridge * across + wings + ball


def _relief(x: Array, y: Array, identity: Identity) -> Array:
    """What the bones and the flesh of the face add to the smooth template, symmetric, towards the front."""
    a = np.abs(x)
    eye = identity.eye_x
    relief = _nose(x, y, identity)
    relief += gauss(a, y, 2.8, 2.1, 1.9, 0.75) * 0.35 * identity.brow_ridge
    relief -= gauss(a, y, eye - 0.2, 0.35, 1.5, 1.0) * 1.05
    relief += gauss(a, y, eye, -0.05, 1.05, 0.68) * 0.62
    relief -= gauss(x, y, 0, 1.0, 1.3, 1.0) * 0.35
    relief += gauss(a, y, 4.7, -2.2, 1.5, 1.2) * 0.45 * identity.cheekbones
    relief -= gauss(a, y, 4.6, -5.6, 1.4, 1.6) * 0.35 * (1 - identity.fullness)
    relief += gauss(a, y, 3.6, -5.4, 2.0, 2.0) * 0.4 * identity.fullness
    relief += gauss(x, y, 0, -6.9, 2.3, 1.9) * 0.55
    relief -= gauss(x, y, 0, -8.85, 1.6, 0.45) * 0.4
    relief += gauss(x, y, 0, -10.05, 1.5, 0.8) * 0.55 * identity.chin
    return relief


def _lips(x: Array, y: Array, mouth: Mouth, expression: Expression) -> Array:
    """Two rolls of flesh along the lips, and the hollow of an open mouth between them."""
    reach = np.clip(1 - (x / (mouth.half_width * 1.02)) ** 2, 0, 1)
    upper, lower = mouth.middles(x)
    inner_top, inner_bottom = mouth.inner(x)
    relief = 0.36 * reach * np.exp(-0.5 * ((y - upper) / 0.38) ** 2)
    relief += 0.42 * reach * np.exp(-0.5 * ((y - lower) / 0.42) ** 2)
    gap = np.maximum(inner_top - inner_bottom, 0)
    inside = smoothstep(y, inner_bottom - 0.05, inner_bottom + 0.25) * smoothstep(y, inner_top + 0.05, inner_top - 0.25)
    relief -= inside * np.minimum(gap, 0.7) * 1.1 * np.sqrt(reach)
    relief += expression.pucker * 0.9 * gauss(x, y, 0, mouth.centre_y, 1.5, 1.1)
    return relief


def _move_jaw(position: Array, rest: Array, expression: Expression) -> None:
    """Turn the lower jaw about the ears, in place."""
    y = rest[..., 1]
    z = rest[..., 2]
    weight = smoothstep(y, -6.3, -8.4) * smoothstep(z, -2.0, 4.0)
    angle = np.deg2rad(expression.jaw_degrees) * weight
    # Behind the true joint: an opening jaw also slides forwards.
    hinge_y = -3.0
    hinge_z = -1.0
    dy = position[..., 1] - hinge_y
    dz = position[..., 2] - hinge_z
    position[..., 1] = hinge_y + dy * np.cos(angle) - dz * np.sin(angle)
    position[..., 2] = hinge_z + dy * np.sin(angle) + dz * np.cos(angle)


def _proportions(position: Array, rest: Array, identity: Identity) -> None:
    """Stretch the head into the identity's proportions, in place."""
    y = rest[:, 0, 1]  # the same along a row
    w = identity
    wide = spline(
        [-11.4, -9.5, -6.5, -2.0, 2.0, 7.0, 11.4],
        [w.chin_width, w.chin_width * w.jaw_width, w.jaw_width, w.face_width, w.face_width, w.forehead_width, 1.0],
        y,
    )
    position[..., 0] *= wide[:, None]
    lengths = [w.lower_length, w.lower_length, w.middle_length, 1.0, w.cranium]
    stretch = spline([-11.4, -5.0, 0.0, 4.0, 11.4], lengths, y)
    position[..., 1] *= stretch[:, None]
    position[..., 2] *= 0.5 * (1 + w.face_width)


def shape_head(identity: Identity, expression: Expression, mouth: Mouth) -> Array:
    """Return the head's grid (r, c, 3) in head space."""
    grid = template()
    rest = grid.position
    # Single precision: bumps are many, and exp is much faster there.
    x, y = rest[..., 0].astype(np.float32), rest[..., 1].astype(np.float32)
    position = rest.copy()
    relief = _relief(x, y, identity) + _lips(x, y, mouth, expression)
    relief = relief + expression.smile * 0.45 * gauss(np.abs(x), y, 4.0, -3.4, 1.3, 1.1)
    relief = relief + expression.puff * 0.8 * gauss(np.abs(x), y, 4.0, -6.3, 1.5, 1.5)
    position[..., 2] += grid.front * relief
    _move_jaw(position, rest, expression)
    _proportions(position, rest, identity)
    return position


def normals(position: Array, closed: bool = True) -> Array:
    """Unit normals (r, c, 3) of a grid whose rows rise and whose columns run to the viewer's right."""
    across = np.roll(position, -1, 1) - np.roll(position, 1, 1) if closed else np.gradient(position, axis=1)
    up = np.empty_like(position)
    up[1:-1] = position[2:] - position[:-2]
    up[0] = position[1] - position[0]
    up[-1] = position[-1] - position[-2]
    normal = np.cross(across, up)
    return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)


def locate(points: Array) -> tuple[NDArray[np.int32], Array]:
    """Template points (k, 2), seen from the front -> the triangle's vertices (k, 3) and barycentric weights (k, 3)."""
    grid = template()
    y = grid.position[:, 0, 1]
    rows, columns = grid.position.shape[:2]
    j = np.clip(np.searchsorted(y, points[:, 1], side="right") - 1, 0, rows - 2)
    up = (points[:, 1] - y[j]) / (y[j + 1] - y[j])
    facing = np.flatnonzero(np.cos(grid.angle) >= -1e-9)
    x = grid.position[:, facing, 0]
    lines = x[j] + up[:, None] * (x[j + 1] - x[j])
    i = np.clip((lines <= points[:, :1]).sum(1) - 1, 0, len(facing) - 2)
    a = j * columns + facing[i]
    b = a + 1
    c = a + columns
    d = a + columns + 1
    flat = grid.position.reshape(-1, 3)[:, :2]
    corners, others = _cut(a, b, c, d, facing[i] < _middle_column())
    weights = _barycentric(flat, corners, points)
    other_weights = _barycentric(flat, others, points)
    better = other_weights.min(1) > weights.min(1)
    corners[better] = others[better]
    weights[better] = other_weights[better]
    return corners, weights


def _barycentric(flat: Array, corners: NDArray[np.integer], points: Array) -> Array:
    p = flat[corners[:, 0]]
    q = flat[corners[:, 1]]
    r = flat[corners[:, 2]]
    e = q - p
    f = r - p
    g = points - p
    area = e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]
    weight1 = (g[:, 0] * f[:, 1] - g[:, 1] * f[:, 0]) / area
    weight2 = (e[:, 0] * g[:, 1] - e[:, 1] * g[:, 0]) / area
    return np.stack([1 - weight1 - weight2, weight1, weight2], 1)
