"""EFLD (arXiv 2407.10228), the winner of the PAIR competition: OSA modules, a depthwise decoder, a dense head.

The paper leaves open how its parts are joined and counted. 19.1 MFLOPs, the size of 0.17 MB and 18.8 and 25.2 MFLOPs
of the ablations settle it:

* *EOSA module*: a chain of `n` 3 x 3 convolutions of `f` channels, the first of stride 2; each of them, not only the
  last, goes into the concatenation (OSA, arXiv 1904.09730), and so does the extra convolution, which is applied to the
  module's input with stride 2. The input itself does not, and no 1 x 1 convolution follows. That makes 16, 32, 64 and
  80 channels at 64, 32, 16 and 8 px, and 9,562,176 multiply-accumulates for 51 points; FLOPs of the paper are two each.
* *Extra convolution*: 3 x 3 and ordinary in the first module, depthwise 3 x 3 and then 1 x 1 in the others.
* *Decoder*: 1 x 1 to 256 channels, then one depthwise convolution of the whole 8 x 8 map.
* *Head*: vectors of 256, 288 and 320 -> 32 units, concatenated with their input; 352 -> 102.
* *Norms*: the paper names none and describes the deployed network, where a norm is one bias per channel. Here a norm
  has a shift and no scale, which the next weights hold anyway because every norm is followed by a ReLU; so the network
  has the same 130,938 parameters in training and in deployment.
* *PFLD's head* (arXiv 1902.10859) in the ablation: the means of the last map and of a stride-2 convolution of it, and
  a convolution of all that is left, into one linear layer. Widths are unpublished; 96 and 48 give the published
  18.8 MFLOPs and the size, together with the decoder gone.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.models.regression import RegressionNet, dense_heads
from distill.models.zoo import register

# (F_OSA, N_OSA, F_conv) of the four modules, sec. 4.1.
_MODULES = ((4, 2, 8), (8, 3, 8), (16, 3, 16), (16, 3, 32))
_DECODER = 256
_PFLD_WIDTHS = (96, 48)


class ShiftNorm(nn.BatchNorm2d):
    """Batch norm with a shift and no scale: before a ReLU the next layer's weights are the scale."""

    def __init__(self, channels: int):
        super().__init__(channels, affine=False)
        self.bias = nn.Parameter(torch.zeros(channels))


def _conv(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1, padding: int | None = None
) -> nn.Sequential:
    padding = kernel // 2 if padding is None else padding
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return nn.Sequential(conv, ShiftNorm(out_channels), nn.ReLU(inplace=True))


class EOSA(nn.Module):
    """Halves a map: `count` chained convolutions of `width` channels and one extra branch, all concatenated.

    Args:
        in_channels: channels of the input.
        width: channels of each chained convolution (F_OSA).
        count: how many there are (N_OSA).
        branch: channels of the extra branch (F_conv).
        light: make the extra branch a depthwise-separable convolution.
    """

    def __init__(self, in_channels: int, width: int, count: int, branch: int, light: bool):
        super().__init__()
        first = _conv(in_channels, width, 3, stride=2)
        self.chain = nn.ModuleList([first, *(_conv(width, width, 3) for _ in range(count - 1))])
        self.branch = (
            nn.Sequential(
                _conv(in_channels, in_channels, 3, stride=2, groups=in_channels), _conv(in_channels, branch, 1)
            )
            if light
            else _conv(in_channels, branch, 3, stride=2)
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        steps, step = [], x
        for conv in self.chain:
            step = conv(step)
            steps.append(step)
        return torch.cat([*steps, self.branch(x)], 1)


class MultiScale(nn.Module):
    """PFLD's feature vector (arXiv 1902.10859, fig. 2): means of two maps, and a convolution of the whole last one."""

    def __init__(self, channels: int, cells: int, widths: tuple[int, int]):
        super().__init__()
        self.down = _conv(channels, widths[0], 3, stride=2)
        self.last = nn.Sequential(nn.Conv2d(widths[0], widths[1], (cells + 1) // 2), nn.ReLU(inplace=True))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        down = self.down(x)
        return torch.cat([x.mean((2, 3)), down.mean((2, 3)), self.last(down).flatten(1)], 1)


@register("efld", size=128, loss="nme")
def efld(
    name: str,
    scheme: str,
    *,
    image_size: int = 128,
    light: bool = True,
    head: Literal["dense", "pfld"] = "dense",
    others: Sequence[str] = (),
    uncertainty: bool = False,
) -> RegressionNet:
    """Build EFLD.

    Args:
        name: the zoo name.
        scheme: landmark scheme of the main head.
        image_size: side of the square crop in pixels, a multiple of 16; the decoder is as large as the last map.
        light: depthwise-separable extra branches; without, ordinary ones (the paper's ablation).
        head: `dense`, or `pfld` for the paper's ablation.
        others: further schemes with a head of their own, for training on several data sets.
        uncertainty: the main head also predicts the standard deviation of its points; Gaussian distillation needs it.

    Raises:
        ConfigError: a size the strides do not divide, an unknown head, or a scheme named twice.
    """
    if image_size % 16 or image_size < 16:
        raise ConfigError(
            f"image_size {image_size} of {name} is no multiple of 16: take {max(1, image_size // 16) * 16}"
        )
    if head not in ("dense", "pfld"):
        raise ConfigError(f"unknown head '{head}' of {name}; valid: dense, pfld")
    channels, body = 3, []
    for index, (width, count, branch) in enumerate(_MODULES):
        body.append(EOSA(channels, width, count, branch, light and index > 0))
        channels = width * count + branch
    cells, schemes = image_size // 16, [scheme, *others]
    if head == "pfld":
        vector = nn.Sequential(*body, MultiScale(channels, cells, _PFLD_WIDTHS))
        heads = dense_heads(channels + sum(_PFLD_WIDTHS), schemes, layers=0, width=0, uncertainty=uncertainty)
        return RegressionNet(vector, heads, schemes, image_size)
    decoder = [_conv(channels, _DECODER, 1), _conv(_DECODER, _DECODER, cells, groups=_DECODER, padding=0), nn.Flatten()]
    heads = dense_heads(_DECODER, schemes, layers=3, width=32, uncertainty=uncertainty)
    return RegressionNet(nn.Sequential(*body, *decoder), heads, schemes, image_size)
