"""Distilling where a map lies and how it spreads: means and covariances, in closed form.

A student cannot copy every cell of a larger network's map, but it can put its mass where the teacher does. An error
counts in the teacher's own standard deviations, so that it weighs little along an edge the teacher is not sure on
(the ambiguity STAR describes, arXiv 2306.02763), and the spread is transferred between matrix logarithms (the
log-Euclidean distance of Arsigny et al., Magnetic Resonance in Medicine 56, 2006).
"""

import torch
from jaxtyping import Float
from torch import Tensor

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


def covariance(student: Float[Tensor, "b k h w"], teacher: Float[Tensor, "b k h2 w2"]) -> Float[Tensor, "b k"]:
    """Mahalanobis distance of the means under the teacher's covariance, plus the distance of the log-covariances.

    Both are quadratic when near and grow linearly when far (pseudo-Huber). A map cannot tell more than its cells do,
    so the variance of a uniform cell is added to both covariances; it also bounds what a sharp teacher can ask for.
    The maps may be of unlike resolution. An empty map of the teacher teaches nothing.
    """
    (mean, own), (goal, theirs) = moments(student), moments(teacher)
    cell = [(2 / min(student.shape[side], teacher.shape[side])) ** 2 / 12 for side in (-1, -2)]
    floor = own.new_tensor([cell[0], 0.0, cell[1]])
    own, theirs = own + floor, theirs + floor
    (dx, dy), (xx, xy, yy) = (mean - goal).unbind(-1), theirs.unbind(-1)
    far = (yy * dx.square() - 2 * xy * dx * dy + xx * dy.square()) / (xx * yy - xy.square())
    # The entry off the diagonal stands for two.
    unlike = (log_covariance(own) - log_covariance(theirs)).square() @ own.new_tensor([1.0, 2.0, 1.0])
    return (_near_square(far) + _near_square(unlike)) * (teacher.sum((-2, -1)) > MASS_FLOOR)


def _near_square(square: Tensor) -> Tensor:
    """Pseudo-Huber of t with a width of 1, given t^2."""
    return (1 + square).sqrt() - 1
