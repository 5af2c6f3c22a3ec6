"""Conditional channel weighting on all channels at once, which leaves those alone that a block does not work on.

Taking half of a map's channels out and putting them back is a copy of the map each, and its interleaved channels make
it a slow one. The same numbers come from working on all channels where the rest are multiplied by one in all. That
multiplies more, and the maps are small; a graph of half as many nodes is faster.

In all, because no weight of the rest is one. The sigmoid of an 8-bit file ends at 255/256: weights of one would become
that, twice a block, and every block would take 0.8 % away from what it is to leave alone. So both weights are 255/256
in floats, too, and the depthwise kernel between them makes up for it.
"""

from math import log

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from distill.models.channel_weighting import ChannelWeighting, SpatialWeighting
from distill.models.fusion import Branches, resize
from distill.models.rewrite import register_rewrite

_LARGEST = 255 / 256


@register_rewrite(ChannelWeighting)
class WholeChannels(nn.Module):
    """`ChannelWeighting` in eval mode, on all channels.

    Args:
        block: in eval mode; its norms are folded into its convolutions.
        widths: channels of each branch.
    """

    def __init__(self, block: ChannelWeighting) -> None:
        super().__init__()
        widths = [2 * len(block.positions(i)) for i in range(len(block.depthwise))]
        starts = [sum(widths[:i]) for i in range(len(widths))]
        everywhere = torch.cat([block.positions(i) + start for i, start in enumerate(starts)])
        self.widths = widths
        self.squeeze = nn.Sequential(_reads(_folded(block.cross.squeeze), everywhere, sum(widths)), nn.ReLU())
        self.expand = nn.Sequential(_writes(_folded(block.cross.expand), everywhere, sum(widths)), nn.Sigmoid())
        self.depthwise, self.spatial = nn.ModuleList(), nn.ModuleList()
        for i, width in enumerate(widths):
            positions, spatial = block.positions(i), block.spatial[i]
            assert isinstance(spatial, SpatialWeighting)
            self.depthwise.append(_beside_identity(_folded(block.depthwise[i]), positions, width))
            self.spatial.append(
                nn.Sequential(
                    _reads(spatial.squeeze[0], positions, width), nn.ReLU(),
                    _writes(spatial.expand[0], positions, width), nn.Sigmoid(),
                )
            )  # fmt: skip

    def forward(self, branches: Branches) -> list[Tensor]:
        last, out = len(branches) - 1, []
        pooled = torch.cat([resize(x, last - i) for i, x in enumerate(branches)], 1)
        weights = self.expand(self.squeeze(pooled)).split(self.widths, 1)
        for i, (x, weight) in enumerate(zip(branches, weights, strict=True)):
            x = self.depthwise[i](x * resize(weight, i - last))
            out.append(x * self.spatial[i](x.mean((2, 3), keepdim=True)))
        return out


def _folded(layers: nn.Module) -> nn.Conv2d:
    """Return a convolution and the norm behind it as one."""
    conv, norm = list(layers.children())[:2]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(conv, norm)


def _reads(conv: nn.Module, positions: Int[Tensor, " n"], width: int) -> nn.Conv2d:
    """Return a 1x1 convolution that reads its channels at their positions among `width`."""
    assert isinstance(conv, nn.Conv2d)
    weight = conv.weight.new_zeros(conv.out_channels, width, 1, 1)
    weight[:, positions] = conv.weight.detach()
    return _conv(weight, _bias(conv))


def _writes(conv: nn.Module, positions: Int[Tensor, " n"], width: int) -> nn.Conv2d:
    """Return a 1x1 convolution that writes its channels to their positions; the sigmoid of all others is `_LARGEST`."""
    assert isinstance(conv, nn.Conv2d)
    weight = conv.weight.new_zeros(width, conv.in_channels, 1, 1)
    weight[positions] = conv.weight.detach()
    bias = weight.new_full((width,), log(_LARGEST / (1 - _LARGEST)))
    bias[positions] = _bias(conv)
    return _conv(weight, bias)


def _beside_identity(conv: nn.Conv2d, positions: Int[Tensor, " n"], width: int) -> nn.Conv2d:
    """Return a depthwise 3x3 for `width` channels; those not at `positions` it divides by their two weights."""
    weight = conv.weight.new_zeros(width, 1, 3, 3)
    weight[:, :, 1, 1] = _LARGEST**-2
    weight[positions] = conv.weight.detach()
    bias = weight.new_zeros(width)
    bias[positions] = _bias(conv)
    return _conv(weight, bias, groups=width)


def _bias(conv: nn.Conv2d) -> Float[Tensor, " c"]:
    assert conv.bias is not None
    return conv.bias.detach()


def _conv(weight: Tensor, bias: Tensor, groups: int = 1) -> nn.Conv2d:
    out_channels, in_channels, kernel, _ = (int(size) for size in weight.shape)
    made = nn.Conv2d(in_channels * groups, out_channels, kernel, padding=kernel // 2, groups=groups)
    made.weight, made.bias = nn.Parameter(weight), nn.Parameter(bias)
    return made.eval()
