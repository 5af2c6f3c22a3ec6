"""Distillation loss between means and covariances of heatmaps, in closed form.

A small student cannot copy every cell of a larger network's map, but it can match its mean and covariance. An error
is measured in the teacher's standard deviations, so that its weight is small along an edge where the teacher's map is
wide (the ambiguity described by STAR, arXiv 2306.02763), and the spread is transferred between matrix logarithms (the
log-Euclidean distance of Arsigny et al., Magnetic Resonance in Medicine 56, 2006).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from distill.losses.registry import register_kd
from distill.losses.star import moments
from distill.models.heatmaps import MASS_FLOOR

# Below this, atanh(r) / r is its series in r^2, which has a gradient at 0: isotropic maps.
_SERIES = 1e-2


def log_covariance(covariance: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
    """Return the matrix logarithm of positive definite 2 x 2 matrices; both are (xx, xy, yy).

    With m and q as in `distill.losses.star` and r = q / m it is
    (log m + log(1 - r^2) / 2) I + atanh(r) / r * (C - m I) / m.
    """
    xx, xy, yy = covariance.unbind(-1)
    middle, half = (xx + yy) / 2, (xx - yy) / 2
    square = (half.square() + xy.square()) / middle.square()
    small = square < _SERIES
    inside = torch.where(small, square, 0)
    series = 1 + inside * (1 / 3 + inside * (1 / 5 + inside * (1 / 7 + inside * (1 / 9 + inside / 11))))
    ratio = torch.where(small, 0.5, square).sqrt()
    slope = torch.where(small, series, torch.atanh(ratio) / ratio) / middle
    level = middle.log() + torch.log1p(-square) / 2
    return torch.stack([level + slope * half, slope * xy, level - slope * half], -1)


@register_kd("covariance", needs=("heatmaps",), same_shape=False)
def covariance(student: Float[Tensor, "b k h w"], teacher: Float[Tensor, "b k h2 w2"]) -> Float[Tensor, "b k"]:
    """Mahalanobis distance of the means under the teacher's covariance, plus the distance of the log-covariances.

    Both are quadratic when near and grow linearly when far (pseudo-Huber). The variance of a uniform cell is added to
    both covariances, because a map has no finer resolution; it also bounds the gradient of a sharp teacher's map.
    The maps may differ in resolution. An empty map of the teacher has loss 0.
    """
    student_mean, student_spread = moments(student)
    teacher_mean, teacher_spread = moments(teacher)
    cell = [(2 / min(student.shape[side], teacher.shape[side])) ** 2 / 12 for side in (-1, -2)]
    student_spread, teacher_spread = (_widened(spread, cell) for spread in (student_spread, teacher_spread))
    dx, dy = (student_mean - teacher_mean).unbind(-1)
    xx, xy, yy = teacher_spread.unbind(-1)
    far = (yy * dx.square() - 2 * xy * dx * dy + xx * dy.square()) / (xx * yy - xy.square())
    difference = log_covariance(student_spread) - log_covariance(teacher_spread)
    x_part, xy_part, y_part = difference.square().unbind(-1)
    spread = x_part + 2 * xy_part + y_part  # the off-diagonal entry counts twice
    return (_near_square(far) + _near_square(spread)) * (teacher.sum((-2, -1)) > MASS_FLOOR)


def _widened(covariance: Float[Tensor, "*n 3"], cell: Sequence[float]) -> Float[Tensor, "*n 3"]:
    """Add the variances of a uniform cell in x and y."""
    xx, xy, yy = covariance.unbind(-1)
    return torch.stack([xx + cell[0], xy, yy + cell[1]], -1)


def _near_square(square: Tensor) -> Tensor:
    """Pseudo-Huber of t with a width of 1, given t^2."""
    return (1 + square).sqrt() - 1
