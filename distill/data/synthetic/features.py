"""Facial curves in template centimetres: the common source of texture and landmarks.

The template is seen from the front: x to the viewer's right, y up. `side` is -1 for the subject's right half (the
viewer's left) and +1 for the other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.data.synthetic.curves import along, through
from distill.data.synthetic.parameters import Expression, Identity

Array = NDArray[np.float64]
NOSE_TIP_Y = -3.85
_MOUTH_Y = -7.1


@dataclass(frozen=True)
class Eye:
    """One eye; curves run from the outer to the inner corner.

    Attributes:
        side: -1 or +1.
        outer, inner: the corners.
        upper_height, lower_height: of the lids above the line between the corners.
        iris: centre of iris and pupil.
        closed: 0 open, 1 shut.
    """

    side: int
    outer: Array
    inner: Array
    upper_height: float
    lower_height: float
    iris: Array
    closed: float

    def lid(self, u: ArrayLike, upper: bool) -> Array:
        """Points (k, 2) of a lid at fractions u of the way from the outer to the inner corner."""
        u = np.asarray(u, np.float64)
        height = self.upper_height if upper else self.lower_height
        skew = u ** (0.93 if upper else 1.1)
        arch = np.clip(4 * skew * (1 - skew), 0, 1) ** 0.8
        points = self.outer + u[:, None] * (self.inner - self.outer)
        points[:, 1] += height * arch
        return points


def make_eye(side: int, identity: Identity, expression: Expression) -> Eye:
    """Build an eye from the identity's shape and the expression's lids and gaze."""
    half = 1.52 * identity.eye_width
    shut = expression.close_right if side < 0 else expression.close_left
    centre = np.array([side * identity.eye_x, 0.0])
    outer = centre + [side * half, identity.eye_tilt / 2]
    inner = centre + [-side * half * 0.98, -identity.eye_tilt / 2 - 0.08]
    lower = -0.42 * identity.eye_height * (1 - 0.35 * max(shut, 0)) + 0.12 * max(expression.smile, 0)
    wide = 0.72 * identity.eye_height
    upper = lower + (wide - lower) * (1 - shut)
    gaze = np.array(expression.gaze) * [0.55, 0.25]
    iris = centre + gaze + [0.0, 0.10 * identity.eye_height]
    return Eye(side, outer, inner, max(upper, lower + 0.015), lower, iris, shut)


@dataclass(frozen=True)
class Brow:
    """One brow: a band between two curves that run from the outer tip to the inner end."""

    middle: Array
    thickness: Array

    def at(self, u: Array) -> tuple[Array, Array]:
        """Upper and lower edge (k, 2) at fractions u from the outer tip to the inner end."""
        centre = along(self.middle, u)
        half = along(self.thickness, u)[:, None] / 2
        return centre + half * [0.0, 1.0], centre - half * [0.0, 1.0]


def make_brow(side: int, identity: Identity, expression: Expression) -> Brow:
    """Build a brow; frowning draws its inner end down and in."""
    raised = expression.raise_right if side < 0 else expression.raise_left
    frown = expression.frown
    u = np.linspace(0, 1, 5)
    x = (1 - u) * (identity.eye_x + 2.15) + u * (0.95 - 0.22 * frown)
    y = 1.62 + identity.brow_height + identity.brow_arch * np.array([-0.55, 0.75, 1.15, 0.8, 0.25])
    y = y + identity.brow_slant * (0.5 - u) + raised * 0.6 * np.array([0.5, 0.9, 1.0, 1.0, 0.9])
    y = y - frown * np.array([0.0, 0.08, 0.2, 0.42, 0.62])
    thickness = 0.62 * identity.brow_thickness * np.array([0.0, 0.55, 0.9, 1.05, 1.0])
    return Brow(np.stack([side * x, y], 1), thickness)


@dataclass(frozen=True)
class Mouth:
    """The lips as four curves, each from the subject's right corner to the left one.

    Attributes:
        outer_top: (7, 2) points 48-54 of iBUG 68.
        outer_bottom: (7, 2) points 54-48 reversed, that is from right to left corner: 48, 59-55, 54.
        inner_top: (5, 2) points 60-64.
        inner_bottom: (5, 2) points 60, 67-65, 64.
    """

    outer_top: Array
    outer_bottom: Array
    inner_top: Array
    inner_bottom: Array

    @property
    def half_width(self) -> float:
        return float(self.outer_top[-1, 0] - self.outer_top[0, 0]) / 2

    @property
    def centre_y(self) -> float:
        return float((self.inner_top[2, 1] + self.inner_bottom[2, 1]) / 2)

    def middles(self, x: Array) -> tuple[Array, Array]:
        """Heights of the crests of the upper and the lower lip at x."""
        top, bottom = _height(self.outer_top, x), _height(self.outer_bottom, x)
        inner_top, inner_bottom = self.inner(x)
        return (top + inner_top) / 2, (bottom + inner_bottom) / 2

    def inner(self, x: Array) -> tuple[Array, Array]:
        """Heights of the upper and the lower edge of the opening at x."""
        return _height(self.inner_top, x), _height(self.inner_bottom, x)


def _height(curve: Array, x: Array) -> Array:
    points = through(curve, 4)
    return np.interp(x, points[:, 0], points[:, 1])


def make_mouth(identity: Identity, expression: Expression) -> Mouth:
    """Build the lips: width, fullness, cupid's bow, opening, smile, pucker."""
    smile = expression.smile
    pucker = expression.pucker
    half = 2.55 * identity.mouth_width * (1 + 0.24 * max(smile, 0) - 0.05 * max(-smile, 0)) * (1 - 0.38 * pucker)
    gap = expression.part + expression.jaw_degrees * 0.055
    half *= 1 - 0.09 * min(gap, 1.5)
    y = _MOUTH_Y + identity.mouth_height
    thin = 1 - 0.28 * max(smile, 0) + 0.2 * pucker
    upper = 0.72 * identity.lip_upper * thin
    lower = 0.92 * identity.lip_lower * thin
    corner = y + 0.55 * smile - 0.25 * gap
    across = np.array([-1, -0.62, -0.23, 0, 0.23, 0.62, 1])
    lift = y + gap * 0.38 - 0.1 * max(smile, 0) + smile * 0.12 * across**2
    dip = 0.13 * identity.cupid * (1 - 0.6 * max(smile, 0))
    top = lift + upper * np.array([0, 0.62, 1, 1, 1, 0.62, 0])
    top[3] -= dip
    drop = y - gap * 0.62 - 0.05 * max(smile, 0) + smile * 0.12 * across**2
    bottom = drop - lower * np.array([0, 0.6, 0.94, 1, 0.94, 0.6, 0])
    top[[0, 6]] = bottom[[0, 6]] = corner
    inside = np.array([-0.93, -0.5, 0, 0.5, 0.93])
    bend = smile * 0.12 * inside**2
    inner_top = y + gap * 0.38 - 0.04 - 0.1 * max(smile, 0) + bend
    inner_bottom = y - gap * 0.62 - 0.06 - 0.1 * max(smile, 0) + bend
    inner_top[[0, 4]] = inner_bottom[[0, 4]] = corner - 0.03 * smile
    shift = expression.skew
    tilt = np.array([1.0, 0.5 * expression.skew])

    def lip_points(x: Array, heights: Array) -> Array:
        points = np.stack([half * x + shift, heights], 1)
        points[:, 1] += tilt[1] * x
        return points

    return Mouth(
        lip_points(across, top),
        lip_points(across, bottom),
        lip_points(inside, inner_top),
        lip_points(inside, inner_bottom),
    )
