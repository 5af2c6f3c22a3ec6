"""GroupNorm of one group in operators that every TensorFlow Lite runtime has."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PlainNorm(nn.Module):
    """GroupNorm with one group as means over 4-D maps, one scale and one shift.

    Args:
        norm: the norm to rewrite.
        affine: apply the norm's weight and bias; without, they are left to whoever reads the result.
    """

    def __init__(self, norm: nn.GroupNorm, affine: bool = True) -> None:
        super().__init__()
        self.eps = norm.eps
        affine = affine and norm.weight is not None
        self.weight = nn.Parameter(norm.weight.detach().view(1, -1, 1, 1)) if affine else None
        self.bias = nn.Parameter(norm.bias.detach().view(1, -1, 1, 1)) if affine else None

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        scale = torch.rsqrt((centred * centred).mean((1, 2, 3), keepdim=True) + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        return centred * scale if self.bias is None else centred * scale + self.bias
