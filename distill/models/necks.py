"""Necks: feature maps of a backbone -> one map at a quarter of the input's resolution."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError, suggest


def _conv(in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _deconv(channels: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.ConvTranspose2d(channels, channels, kernel, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


class DeconvNeck(nn.Module):
    """The paper's generator: 1x1, transposed convolution x4, transposed convolution x2, from stride 32 to stride 4."""

    strides = (32,)

    def __init__(self, channels: Sequence[int], width: int):
        super().__init__()
        self.project = nn.Conv2d(channels[-1], width, 1)
        self.up = nn.Sequential(_deconv(width, 6, 4), _deconv(width, 4, 2))

    def forward(self, features: Sequence[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b w h4 w4"]:
        return self.up(self.project(features[-1]))


class NearestNeck(nn.Module):
    """The paper's student: 1x1, then nearest upsampling x8 from stride 32 to stride 4."""

    strides = (32,)

    def __init__(self, channels: Sequence[int], width: int):
        super().__init__()
        self.project = nn.Conv2d(channels[-1], width, 1)

    def forward(self, features: Sequence[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b w h4 w4"]:
        return nn.functional.interpolate(self.project(features[-1]), scale_factor=8.0, mode="nearest")


class PyramidNeck(nn.Module):
    """Top-down pyramid (FPN, arXiv 1612.03144) over strides 4 to 32, ended by one depthwise-separable 3x3.

    It uses the features of high resolution, which a single upsampling of stride 32 cannot restore, at a fraction of the
    cost of the deconvolutions. Networks trained from scratch and small students gain most.
    """

    strides = (4, 8, 16, 32)

    def __init__(self, channels: Sequence[int], width: int):
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.ModuleList(_conv(width, width, 3, groups=width) for _ in channels[:-1])
        self.out = nn.Sequential(_conv(width, width, 3, groups=width), _conv(width, width, 1))

    def forward(self, features: Sequence[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b w h4 w4"]:
        laterals = [conv(feature) for conv, feature in zip(self.lateral, features, strict=True)]
        x = laterals[-1]
        for lateral, smooth in zip(laterals[-2::-1], self.smooth, strict=True):
            x = smooth(lateral + nn.functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.out(x)


NECKS: dict[str, type[DeconvNeck] | type[NearestNeck] | type[PyramidNeck]] = {
    "deconv": DeconvNeck,
    "nearest": NearestNeck,
    "pyramid": PyramidNeck,
}


def neck_named(name: str) -> type[DeconvNeck] | type[NearestNeck] | type[PyramidNeck]:
    """Return the neck of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in NECKS:
        raise ConfigError(f"unknown neck '{name}': {suggest(name, list(NECKS))}")
    return NECKS[name]
