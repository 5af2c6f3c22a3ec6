"""STAR loss (Zhou et al., CVPR 2023, arXiv 2306.02763) with the 2 x 2 eigen-decomposition in closed form.

The published code sends every covariance to the CPU for `eigh`, whose gradient is NaN on isotropic maps. For a
2 x 2 matrix neither is needed: with m = (a + c) / 2 and q = sqrt(((a - c) / 2)^2 + b^2) the eigenvalues are m -+ q
and the squared length of a residual along the major axis is (|e|^2 + e^T R e) / 2, R = [[a-c, 2b], [2b, c-a]] / 2q.
No angle, no eigenvector and no sign convention appears, so the gradient is finite everywhere.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.losses.reduction import masked_mean
from distill.models.heatmaps import MASS_FLOOR, cell_centres

# Constants of the published code (starLoss_v2): variance floor, weight floor, width of the quadratic zone.
_VARIANCE_FLOOR = 1e-5
_WEIGHT_FLOOR = 1e-5
_QUADRATIC = 0.01
# Keeps the square root differentiable for isotropic maps; 1e-6 wide: above float32 rounding, below any real gap.
_ISOTROPIC = 1e-12


class _Sums(torch.autograd.Function):
    """All the sums over cells that the moments need, without a single intermediate map.

    Written with ordinary operations, each product of a map and a coordinate is a map that autograd keeps; reading and
    writing those is what the loss costs. Here the maps are read four times, and once more to write their gradient.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps (n, h, w), x (w) -> sums over x (n, h), the same weighted by x (n, h), over y (n, w), of squares (n)."""
        ctx.save_for_backward(maps, x)
        return maps.sum(2), maps @ x, maps.sum(1), torch.linalg.vector_norm(maps, dim=(1, 2)).square()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        maps, x = ctx.saved_tensors
        rows, rows_x, columns, squares = gradients
        by_row = torch.stack([rows, rows_x, torch.ones_like(rows)], -1)
        by_column = torch.stack([torch.ones_like(columns), x.expand_as(columns), columns], -2)
        return torch.bmm(by_row, by_column).addcmul_(maps, 2 * squares[:, None, None]), None


def moments(heatmaps: Float[Tensor, "*n h w"]) -> tuple[Float[Tensor, "*n 2"], Float[Tensor, "*n 3"]]:
    """Return mean (x, y) and unbiased weighted covariance (xx, xy, yy) of non-negative maps, on [-1, 1].

    The second moments are taken about the mean, not as E[x^2] - E[x]^2, which float32 cannot carry.
    """
    h, w = heatmaps.shape[-2:]
    x, y = 2 * cell_centres(w, heatmaps) - 1, 2 * cell_centres(h, heatmaps) - 1
    sums = _Sums.apply(heatmaps.reshape(-1, h, w), x)
    rows, rows_x, columns, squares = (s.unflatten(0, heatmaps.shape[:-2]) for s in sums)
    scale = rows.sum(-1).clamp_min(MASS_FLOOR).reciprocal()
    rows, rows_x, columns = (s * scale[..., None] for s in (rows, rows_x, columns))
    mean = torch.stack([columns @ x, rows @ y], -1)
    dx, dy = x - mean[..., :1], y - mean[..., 1:]
    xy = ((rows_x - mean[..., :1] * rows) * dy).sum(-1)
    scatter = torch.stack([(columns * dx.square()).sum(-1), xy, (rows * dy.square()).sum(-1)], -1)
    v1 = rows.sum(-1) + _WEIGHT_FLOOR
    v2 = squares * scale.square() + _WEIGHT_FLOOR
    # Positive unless the map is all but empty.
    return mean, scatter / (v1 - v2 / v1).clamp_min(_WEIGHT_FLOOR)[..., None]


def _smooth_l1_of_square(square: Tensor) -> Tensor:
    """Smooth L1 (quadratic below `_QUADRATIC`) of t, given t^2 >= 0."""
    inside = square < _QUADRATIC**2
    linear = torch.where(inside, _QUADRATIC**2, square).sqrt() - 0.5 * _QUADRATIC
    return torch.where(inside, square * (0.5 / _QUADRATIC), linear)


def star_loss(
    heatmaps: Float[Tensor, "b k h w"], target: Float[Tensor, "b k 2"], weight: float = 1.0
) -> Float[Tensor, "b k"]:
    """STAR loss of each landmark, float32 or better inside.

    Args:
        heatmaps: non-negative maps of any scale.
        target: landmarks normalised to the crop, in [0, 1].
        weight: w of the eigenvalue restriction |lambda_1| + |lambda_2|.

    Returns:
        sum_j d(v_j . e) / sqrt(lambda_j + 1e-5) + w (|lambda_1| + |lambda_2|) per landmark, on [-1, 1] coordinates.
    """
    if heatmaps.dtype in (torch.float16, torch.bfloat16):
        heatmaps = heatmaps.float()
    with torch.autocast(heatmaps.device.type, enabled=False):
        mean, covariance = moments(heatmaps)
        xx, xy, yy = covariance.unbind(-1)
        middle, half = (xx + yy) / 2, (xx - yy) / 2
        gap = (half.square() + xy.square() + _ISOTROPIC).sqrt()
        minor, major = middle - gap, middle + gap
        ex, ey = (2 * target.to(mean) - 1 - mean).unbind(-1)
        length = ex.square() + ey.square()
        turned = (half * (ex.square() - ey.square()) + 2 * xy * ex * ey) / gap
        along = ((length + turned) / 2).clamp_min(0)
        across = ((length - turned) / 2).clamp_min(0)
        distance = sum(
            _smooth_l1_of_square(square) / (eigenvalue.clamp_min(0) + _VARIANCE_FLOOR).sqrt()
            for square, eigenvalue in ((across, minor), (along, major))
        )
        return distance + weight * (minor.abs() + major.abs())


class StarLoss(nn.Module):
    """Mean of `star_loss` over the landmarks that count."""

    def __init__(self, weight: float = 1.0):
        super().__init__()
        self.weight = weight

    def forward(self, heatmaps: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Maps (b, k, h, w), target (b, k, 2) in [0, 1], valid (b, k) bool -> scalar."""
        return masked_mean(star_loss(heatmaps, target, self.weight), valid)
