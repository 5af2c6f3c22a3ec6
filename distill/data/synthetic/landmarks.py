"""Landmarks of a generated face as template points, in every scheme a head can define.

The jaw is a line of fixed positions on the head, the widest one of each horizontal section: it is the outline of a
frontal face, runs from the front of the ears over the jaw's angle to the chin, and does not slide to the visible
outline when the head turns (as in 3-D annotations); the far half is then marked as not visible.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.features import NOSE_TIP_Y, Brow, Eye, Mouth, make_brow, make_eye, make_mouth
from distill.data.synthetic.head import template
from distill.data.synthetic.parameters import Expression, Identity

Array = NDArray[np.float64]
_JAW_TOP_Y = 0.6


@dataclass(frozen=True)
class Features:
    """All curves of one face."""

    eyes: tuple[Eye, Eye]
    brows: tuple[Brow, Brow]
    mouth: Mouth
    nose_width: float


def make_features(identity: Identity, expression: Expression) -> Features:
    """Build the curves; the subject's right side comes first."""
    right, left = -1, 1
    return Features(
        eyes=(make_eye(right, identity, expression), make_eye(left, identity, expression)),
        brows=(make_brow(right, identity, expression), make_brow(left, identity, expression)),
        mouth=make_mouth(identity, expression),
        nose_width=identity.nose_width,
    )


def _jaw(count: int) -> Array:
    """`count` points at equal distances along the outline, from the subject's right ear over the chin."""
    grid = template().position
    edge = int(np.argmin(np.abs(template().angle - np.pi / 2)))
    line = grid[:, edge, :2][::-1]
    line = line[line[:, 1] <= _JAW_TOP_Y]
    line[-1, 0] = 0.0
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    positions = np.linspace(0, along[-1], count // 2 + 1)
    y = np.interp(positions, along, line[:, 1])
    x = np.interp(y, grid[:, edge, 1], grid[:, edge, 0])
    x[-1] = 0.0
    left = np.stack([x, y], 1)
    return np.concatenate([left * [-1, 1], left[-2::-1]])


def _nose(features: Features) -> tuple[Array, Array]:
    bridge = np.stack([np.zeros(4), np.linspace(0.35, NOSE_TIP_Y, 4)], 1)
    x = np.array([-1.22, -0.62, 0, 0.62, 1.22]) * features.nose_width
    return bridge, np.stack([x, [-4.72, -4.95, -5.08, -4.95, -4.72]], 1)


def _lids(eye: Eye, count: int) -> Array:
    """`count` points at even fractions around an eye: outer corner, upper lid, inner corner, lower lid back."""
    u = np.linspace(0, 1, count // 2 + 1)[1:-1]
    return np.concatenate([eye.outer[None], eye.lid(u, True), eye.inner[None], eye.lid(u[::-1], False)])


def _left_eye(points: Array) -> Array:
    """Both schemes number the subject's left eye from the inner corner over the upper lid outwards."""
    half = len(points) // 2
    return np.concatenate([points[half::-1], points[:half:-1]])


def _mouth(mouth: Mouth) -> Array:
    return np.concatenate([mouth.outer_top, mouth.outer_bottom[-2:0:-1], mouth.inner_top, mouth.inner_bottom[-2:0:-1]])


def _ibug68(features: Features) -> Array:
    u = np.linspace(0, 1, 5)
    right, left = (np.mean(brow.at(u), axis=0) for brow in features.brows)
    lids = [_lids(eye, 6) for eye in features.eyes]
    eyes = [lids[0], _left_eye(lids[1])]
    return np.concatenate([_jaw(17), right, left[::-1], *_nose(features), *eyes, _mouth(features.mouth)])


def _wflw98(features: Features) -> Array:
    u = np.linspace(0, 1, 5)
    (right_top, right_low), (left_top, left_low) = (brow.at(u) for brow in features.brows)
    brows = [right_top, right_low[:0:-1], left_top[::-1], left_low[1:]]
    lids = [_lids(eye, 8) for eye in features.eyes]
    pupils = np.stack([eye.iris for eye in features.eyes])
    eyes = [lids[0], _left_eye(lids[1])]
    return np.concatenate([_jaw(33), *brows, *_nose(features), *eyes, _mouth(features.mouth), pupils])


def template_landmarks(features: Features) -> dict[str, Array]:
    """Return template points (k, 2) of the schemes that are placed directly; others are converted from them."""
    return {"ibug68": _ibug68(features), "wflw98": _wflw98(features)}
