"""Adaptive wing loss for maps (Wang et al., ICCV 2019, arXiv 1904.07399), eq. 3-4 and the weighted loss map."""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from distill.losses.reduction import masked_mean

_OMEGA, _THETA, _EPSILON, _ALPHA = 14.0, 0.5, 1.0, 2.1
# Cells whose 3 x 3 neighbourhood reaches this value are foreground and weigh 1 + 10.
_FOREGROUND, _FOREGROUND_WEIGHT = 0.2, 10.0
# Keeps the logarithm finite; the loss and its gradient are 0 there to the last bit that matters.
_TINY = 1e-12


def adaptive_wing(prediction: Float[Tensor, "*n"], target: Float[Tensor, "*n"]) -> tuple[Tensor, Tensor]:
    """Return the adaptive wing loss of each cell and its derivative by the prediction; both maps lie in [0, 1].

    Two dozen element-wise operations, most of them in place: on maps of thousands of cells per landmark, memory is what
    they cost.
    """
    difference = prediction - target
    distance = difference.abs().clamp_min_(_TINY)
    power = _ALPHA - target
    at_theta = torch.exp(power * math.log(_THETA / _EPSILON))
    slope = torch.mul(power, at_theta).mul_(_OMEGA / _THETA).div_(at_theta + 1)
    offset = torch.log1p(at_theta).mul_(-_OMEGA).add_(slope, alpha=_THETA)
    raised = (distance / _EPSILON).log_().mul_(power).exp_()
    near = distance < _THETA
    inner = power.mul_(raised).mul_(_OMEGA).div_((raised + 1).mul_(distance))
    derivative = torch.where(near, inner, slope).mul_(difference.sign_())
    loss = torch.where(near, raised.log1p_().mul_(_OMEGA), slope.mul_(distance).sub_(offset))
    return loss, derivative


def foreground(target: Float[Tensor, "b k h w"]) -> Bool[Tensor, "b k h w"]:
    """Return the cells whose 3 x 3 neighbourhood reaches the foreground of the target."""
    cells = target >= _FOREGROUND
    rows = cells.clone()
    rows[..., 1:, :] |= cells[..., :-1, :]
    rows[..., :-1, :] |= cells[..., 1:, :]
    dilated = rows.clone()
    dilated[..., 1:] |= rows[..., :-1]
    dilated[..., :-1] |= rows[..., 1:]
    return dilated


class _MapLoss(torch.autograd.Function):
    """Weighted mean of `adaptive_wing` over each map, with the derivative of all cells as all that is kept.

    Written with autograd's operations, every intermediate map would be kept, which costs more than the convolutions
    that predict the maps.
    """

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, target: Tensor) -> Tensor:
        # A prediction in channels-last memory would make every operation with the target a strided one.
        loss, derivative = adaptive_wing(prediction.contiguous(), target)
        weight = torch.where(foreground(target), 1 + _FOREGROUND_WEIGHT, 1.0)
        means = loss.mul_(weight).mean((-2, -1))
        ctx.save_for_backward(derivative.mul_(weight).div_(loss.shape[-2] * loss.shape[-1]))
        return means

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (derivative,) = ctx.saved_tensors
        return gradients[0][..., None, None] * derivative, None


def map_loss(prediction: Float[Tensor, "b k h w"], target: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k"]:
    """Return the mean adaptive wing loss of each map, foreground cells weighted; only the prediction has a gradient."""
    means: Tensor = _MapLoss.apply(prediction, target)
    return means


class AdaptiveWingLoss(nn.Module):
    """Weighted adaptive wing loss of maps, mean over the channels that count."""

    def forward(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Maps (b, k, h, w) in [0, 1], valid (b, k) bool -> scalar."""
        with torch.autocast(prediction.device.type, enabled=False):
            return masked_mean(map_loss(prediction.float(), target.float()), valid)
