"""Hourglass of one stack (Newell et al., ECCV 2016, arXiv 1603.06937) with the AAM head, as ADNet and STAR use it.

A stem halves the crop twice; the hourglass halves it four times more and adds the maps of each size on the way back.
Every block is a residual of 1x1, 3x3 and 1x1 convolutions with the norm in front. Widths are those of the paper.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from distill.models.heatmap_net import HeatmapNet, aam_head
from distill.models.zoo import register

_WIDTH, _DEPTH = 256, 4


def _normed(in_channels: int, out_channels: int, kernel: int) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    return [nn.BatchNorm2d(in_channels), nn.ReLU(inplace=True), conv]


class Residual(nn.Module):
    """Bottleneck with the norm in front of each convolution; its inner width is half its outer one."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        inner = out_channels // 2
        self.body = nn.Sequential(
            # Not in place: the input is added to the output.
            nn.BatchNorm2d(in_channels),
            nn.ReLU(),
            nn.Conv2d(in_channels, inner, 1),
            *_normed(inner, inner, 3),
            *_normed(inner, out_channels, 1),
        )
        same = in_channels == out_channels
        self.skip: nn.Module = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        return self.body(x) + self.skip(x)


class Hourglass(nn.Module):
    """One level: a residual at the given size, added to what the half size gives, which holds the next level."""

    def __init__(self, width: int, depth: int):
        super().__init__()
        self.skip = Residual(width, width)
        inner = Hourglass(width, depth - 1) if depth > 1 else Residual(width, width)
        self.low = nn.Sequential(nn.MaxPool2d(2), Residual(width, width), inner, Residual(width, width))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return self.skip(x) + nn.functional.interpolate(self.low(x), scale_factor=2.0, mode="nearest")


class HourglassBody(nn.Module):
    """Stem of stride 4 and one hourglass."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, stride=2, padding=3),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            Residual(64, 128),
            nn.MaxPool2d(2),
            Residual(128, 128),
            Residual(128, _WIDTH),
        )
        self.hourglass = Hourglass(_WIDTH, _DEPTH)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b c h4 w4"]]:
        return [self.hourglass(self.stem(images))]


class HourglassNeck(nn.Module):
    """A residual, then 1x1 convolution, norm and ReLU: what stands between an hourglass and its maps."""

    def __init__(self, width: int):
        super().__init__()
        self.out = nn.Sequential(
            Residual(_WIDTH, _WIDTH), nn.Conv2d(_WIDTH, width, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )

    def forward(self, features: Sequence[Float[Tensor, "b c h4 w4"]]) -> Float[Tensor, "b w h4 w4"]:
        out: Tensor = self.out(features[-1])
        return out


@register("hourglass", size=256, loss="maps")
def hourglass(name: str, scheme: str, *, width: int = _WIDTH, feature_noise: float = 0.0) -> HeatmapNet:
    """Build an hourglass of one stack with the AAM head.

    Args:
        name: the zoo name.
        scheme: landmark scheme.
        width: channels between neck and head; equal to the teacher's where its heads are to be inherited.
        feature_noise: see `HeatmapNet`.

    Raises:
        ConfigError: a scheme without edges.
    """
    half = (0.5, 0.5, 0.5)
    return HeatmapNet(
        HourglassBody(),
        HourglassNeck(width),
        aam_head(width, scheme),
        mean=half,
        std=half,
        size_multiple=4 << _DEPTH,
        feature_noise=feature_noise,
    )
