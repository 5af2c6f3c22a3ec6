"""ShuffleNetV2 with its shuffles as 1x1 convolutions: onnx2tf loses track of the axes behind a list of channels."""

import torch
from torch import Tensor, nn

from distill.models.rewrite import register_rewrite
from distill.models.shufflenet_v2 import ShuffleUnit, joined


@register_rewrite(ShuffleUnit)
class ConvolvedShuffle(nn.Module):
    """`ShuffleUnit` whose shuffle multiplies by a matrix of zeros and ones, which changes no number.

    Args:
        unit: in eval mode.
    """

    def __init__(self, unit: ShuffleUnit) -> None:
        super().__init__()
        self.stride, self.branch1, self.branch2 = unit.stride, unit.branch1, unit.branch2
        width = len(unit.order)
        self.shuffle = nn.Conv2d(width, width, 1, bias=False)
        with torch.no_grad():
            self.shuffle.weight.copy_(torch.eye(width)[unit.order][..., None, None])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shuffle(joined(self, x))
        return out
