"""Export rewrites of the heads and of the pyramid neck."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.models.heads import AAMHead
from distill.models.necks import PyramidNeck
from distill.models.rewrite import register_rewrite


class Centred(nn.Module):
    """InstanceNorm of maps that are cut off at zero, masked and decoded: their scale cancels in a centre of mass."""

    def forward(self, x: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
        return x - x.mean((2, 3), keepdim=True)


@register_rewrite(AAMHead)
def without_norm_scale(head: AAMHead) -> AAMHead:
    """Replace the head's instance norm by the subtraction of the mean."""
    head.normalise = Centred()
    return head


@register_rewrite(PyramidNeck)
class PlainPyramid(nn.Module):
    """PyramidNeck without RESIZE_NEAREST_NEIGHBOR, which XNNPACK leaves to TFLite and which so cuts the graph up."""

    def __init__(self, neck: PyramidNeck) -> None:
        super().__init__()
        self.lateral, self.smooth, self.out = neck.lateral, neck.smooth, neck.out

    def forward(self, features: Sequence[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b w h4 w4"]:
        laterals = [conv(feature) for conv, feature in zip(self.lateral, features, strict=True)]
        x = laterals[-1]
        for lateral, smooth in zip(laterals[-2::-1], self.smooth, strict=True):
            x = smooth(lateral + _doubled(x))
        out: Tensor = self.out(x)
        return out


def _doubled(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Upsample a map twofold to the nearest: each position beside itself, then each row under itself.

    Rows are flat on purpose: where height, width and channels are equal, onnx2tf takes a 4-D intermediate for
    channel-first and puts two transposes of the whole map around it.
    """
    b, c, h, w = (int(size) for size in x.shape)
    # Channel-last, a position beside itself is its channels twice.
    rows = torch.cat([x, x], 1).permute(0, 2, 3, 1).reshape(b * h, w * 2 * c)
    return torch.cat([rows, rows], 1).reshape(b, 2 * h, 2 * w, c).permute(0, 3, 1, 2)
