"""Norms of transformers for export: their scale and shift move into the linear layer behind them."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ExportError
from distill.models.plain_norm import PlainNorm

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


class PlainLayerNorm(nn.Module):
    """LayerNorm over the last axis as two means, without scale and shift."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.eps = norm.eps

    def forward(self, x: Float[Tensor, "... c"]) -> Float[Tensor, "... c"]:
        centred = x - x.mean(-1, keepdim=True)
        return centred * torch.rsqrt((centred * centred).mean(-1, keepdim=True) + self.eps)


def statistics(norm: nn.Module) -> nn.Module:
    """Return what of a norm depends on the image: of a batch norm nothing.

    Raises:
        ExportError: a norm of another kind than batch, layer (over one axis) and group norm of one group.
    """
    if isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None:
        return nn.Identity()
    if isinstance(norm, nn.GroupNorm) and norm.num_groups == 1:
        return PlainNorm(norm, affine=False)
    if isinstance(norm, nn.LayerNorm) and len(norm.normalized_shape) == 1:
        return PlainLayerNorm(norm)
    raise ExportError(
        f"a {type(norm).__name__} in a MobileViT block cannot be rewritten; use a batch norm, LayerNorm or GroupNorm(1)"
    )


def behind(norm: Any, layer: Layer) -> Layer:
    """Return a linear layer or 1x1 convolution that also does the constant scale and shift of the norm in front of it.

    Args:
        norm: in eval mode, one that `statistics` takes.
        layer: reads its output.
    """
    weight = layer.weight.detach().double().flatten(1)
    scale, shift = _affine(norm, weight)
    bias = 0.0 if layer.bias is None else layer.bias.detach().double()
    return _like(layer, weight * scale, weight @ shift + bias)


def _affine(norm: Any, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the constant scale and shift (c,) of a norm in double precision."""
    n_channels = weight.shape[1]
    scale = weight.new_ones(n_channels) if norm.weight is None else norm.weight.detach().double()
    shift = weight.new_zeros(n_channels) if norm.bias is None else norm.bias.detach().double()
    if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None:
        scale = scale / (norm.running_var.double() + norm.eps).sqrt()
        shift = shift - norm.running_mean.double() * scale
    return scale, shift


def outputs(layer: Layer, first: int, last: int, factor: float = 1.0) -> Layer:
    """Return a linear layer or 1x1 convolution that gives only the outputs first ... last - 1, times a factor."""
    bias = None if layer.bias is None else layer.bias[first:last].detach() * factor
    return _like(layer, layer.weight[first:last].detach().flatten(1) * factor, bias)


def _like(layer: Layer, weight: Tensor, bias: Tensor | None) -> Layer:
    """Return a layer of the same kind with weights (out, in) and bias (out,)."""
    n_out, n_in = weight.shape
    kind: Callable[..., Any] = partial(nn.Conv2d, kernel_size=1) if isinstance(layer, nn.Conv2d) else nn.Linear
    made: Layer = kind(n_in, n_out, bias=bias is not None).eval()
    made.weight = nn.Parameter(weight.to(layer.weight.dtype).reshape(made.weight.shape))
    if bias is not None:
        made.bias = nn.Parameter(bias.to(layer.weight.dtype))
    return made
