"""Fusion of the branches of a high-resolution network: SCAF, and the convolutions that it replaces.

All map a list of branches, from the highest resolution to the lowest, each with half the side of the one before, to a
list of the same shapes: `ReLU(x_i + sum over j of f_ij(x_j))`.
"""

from collections.abc import Callable, Mapping, Sequence
from math import gcd
from types import MappingProxyType

from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError, suggest

Branches = Sequence[Float[Tensor, "b c h w"]]

# Reduction of a bottleneck, and groups of a grouped convolution; the paper gives neither.
_BOTTLENECK, _GROUPS = 4, 4


def conv_norm(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution and its batch norm, without an activation."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


def resize(x: Float[Tensor, "b c h w"], steps: int) -> Float[Tensor, "b c h2 w2"]:
    """Halve a map `steps` times by averaging; a negative number doubles it to the nearest."""
    if steps > 0:
        return nn.functional.avg_pool2d(x, 2**steps)
    return nn.functional.interpolate(x, scale_factor=2.0**-steps, mode="nearest") if steps else x


class ScafFusion(nn.Module):
    """Stepped channel attention (Lite-HRNet Plus, sec. 3.1): `A_ij(mean of x_i over space) * resize(mean of x_j)`.

    Branch j contributes its mean over channels, one number per position. Branch i weighs it in each of its M channels
    by two dense layers M -> M / r -> M and a sigmoid: 2 M^2 / r products for each i and j, at any resolution. The paper
    does not specify how a map is downsampled; here it is average pooling.

    Args:
        channels: of the branches.
        reduction: r.
    """

    def __init__(self, channels: Sequence[int], reduction: int):
        super().__init__()
        others = len(channels) - 1
        self.attention = nn.ModuleList()
        for width in channels:
            inner = max(1, width // reduction)
            # One grouped convolution holds the layers of all sources.
            first = nn.Conv2d(width, others * inner, 1)
            second = nn.Conv2d(others * inner, others * width, 1, groups=others)
            self.attention.append(nn.Sequential(first, nn.ReLU(inplace=True), second, nn.Sigmoid()))

    def forward(self, branches: Branches) -> list[Tensor]:
        means = [x.mean(1, keepdim=True) for x in branches]
        fused = []
        for i, (x, attention) in enumerate(zip(branches, self.attention, strict=True)):
            weights = attention(x.mean((2, 3), keepdim=True)).chunk(len(branches) - 1, 1)
            sources = [j for j in range(len(branches)) if j != i]
            for j, weight in zip(sources, weights, strict=True):
                x = x + resize(means[j], i - j) * weight
            fused.append(x.relu())
        return fused


class ConvFusion(nn.Module):
    """HRNet's fusion with depthwise strides, as in Lite-HRNet: up by 1x1, down by chains of depthwise 3x3 and 1x1.

    Args:
        channels: of the branches.
        pointwise: (in, out) -> the convolution that changes the number of channels, with its norm.
    """

    def __init__(self, channels: Sequence[int], pointwise: Callable[[int, int], nn.Module]):
        super().__init__()
        self.paths = nn.ModuleDict()
        for i, target in enumerate(channels):
            for j, source in enumerate(channels):
                if j > i:
                    self.paths[f"{j}_{i}"] = pointwise(source, target)
                elif j < i:
                    self.paths[f"{j}_{i}"] = self._down(source, target, i - j, pointwise)

    @staticmethod
    def _down(source: int, target: int, steps: int, pointwise: Callable[[int, int], nn.Module]) -> nn.Sequential:
        layers: list[nn.Module] = []
        for step in range(steps):
            last = step == steps - 1
            layers += [conv_norm(source, source, 3, 2, source), pointwise(source, target if last else source)]
            if not last:
                layers.append(nn.ReLU(inplace=True))
        return nn.Sequential(*layers)

    def forward(self, branches: Branches) -> list[Tensor]:
        fused = []
        for i, x in enumerate(branches):
            for j, other in enumerate(branches):
                if j != i:
                    x = x + resize(self.paths[f"{j}_{i}"](other), min(0, i - j))
            fused.append(x.relu())
        return fused


def _plain(in_channels: int, out_channels: int) -> nn.Module:
    return conv_norm(in_channels, out_channels, 1)


def _bottleneck(in_channels: int, out_channels: int) -> nn.Module:
    inner = max(in_channels, out_channels) // _BOTTLENECK
    return nn.Sequential(*conv_norm(in_channels, inner, 1), nn.ReLU(inplace=True), *conv_norm(inner, out_channels, 1))


def _group(in_channels: int, out_channels: int) -> nn.Module:
    return conv_norm(in_channels, out_channels, 1, groups=gcd(_GROUPS, gcd(in_channels, out_channels)))


POINTWISE: Mapping[str, Callable[[int, int], nn.Module]] = MappingProxyType(
    {"conv": _plain, "bottleneck": _bottleneck, "group": _group}
)


def make_fusion(name: str, channels: Sequence[int], reduction: int) -> nn.Module:
    """Return a fusion by its name: `scaf`, or `conv`, `bottleneck` or `group`, the paper's ablation (table 2a).

    Raises:
        ConfigError: an unknown fusion.
    """
    if name == "scaf":
        return ScafFusion(channels, reduction)
    if name not in POINTWISE:
        raise ConfigError(f"unknown fusion '{name}': {suggest(name, ['scaf', *POINTWISE])}")
    return ConvFusion(channels, POINTWISE[name])
