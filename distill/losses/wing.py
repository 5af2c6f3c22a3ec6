"""Adaptive wing loss for maps (Wang et al., ICCV 2019, arXiv 1904.07399), eq. 3-4 and the weighted loss map."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.losses.reduction import masked_mean

_OMEGA, _THETA, _EPSILON, _ALPHA = 14.0, 0.5, 1.0, 2.1
# Cells whose 3 x 3 neighbourhood reaches this value are foreground and weigh 1 + 10.
_FOREGROUND, _FOREGROUND_WEIGHT = 0.2, 10.0
# Keeps the logarithm finite; the loss and its gradient are 0 there to the last bit that matters.
_TINY = 1e-12


class _AdaptiveWing(torch.autograd.Function):
    """The loss and its derivative in one pass over the maps.

    Written out, the loss is a dozen element-wise operations whose intermediate maps autograd would keep; on maps of
    thousands of cells per landmark that costs more than the convolutions that predict them.
    """

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, target: Tensor) -> Tensor:
        difference = prediction - target
        distance = difference.abs().clamp_min_(_TINY)
        power = _ALPHA - target
        at_theta = torch.exp(power * math.log(_THETA / _EPSILON))
        slope = _OMEGA * power * at_theta / (1 + at_theta) / _THETA
        offset = _THETA * slope - _OMEGA * torch.log1p(at_theta)
        raised = torch.exp(power * torch.log(distance / _EPSILON))
        near = distance < _THETA
        if ctx.needs_input_grad[0]:
            inner = _OMEGA * power * raised / ((1 + raised) * distance)
            ctx.save_for_backward(torch.where(near, inner, slope) * difference.sign())
        return torch.where(near, _OMEGA * torch.log1p(raised), slope * distance - offset)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (derivative,) = ctx.saved_tensors
        return gradients[0] * derivative, None


def adaptive_wing(prediction: Float[Tensor, "*n"], target: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Adaptive wing loss of each cell; both maps lie in [0, 1], and only the prediction has a gradient."""
    return _AdaptiveWing.apply(prediction, target)


def foreground_weights(target: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
    """Return 1 + 10 on the dilated foreground of the target, 1 elsewhere."""
    dilated = nn.functional.max_pool2d(target, 3, stride=1, padding=1)
    return 1 + _FOREGROUND_WEIGHT * (dilated >= _FOREGROUND).to(target.dtype)


class AdaptiveWingLoss(nn.Module):
    """Weighted adaptive wing loss of maps, mean over the channels that count."""

    def forward(self, prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Maps (b, k, h, w) in [0, 1], valid (b, k) bool -> scalar."""
        with torch.autocast(prediction.device.type, enabled=False):
            prediction, target = prediction.float(), target.float()
            cells = adaptive_wing(prediction, target) * foreground_weights(target)
            return masked_mean(cells.mean((-2, -1)), valid)
