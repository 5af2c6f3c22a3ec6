"""Lite-HRNet (arXiv 2104.06403) and Lite-HRNet Plus (Kato et al.), which makes its fusion and its output cheap.

A stem brings the crop to a quarter of its side; three stages of two, three and four branches follow, each branch with
half the side and twice the channels of the one above it. A module is a few blocks of conditional channel weighting and
a fusion of all branches. Plus has SCAF fusion and an output from every branch.

Lite-HRNet-18 and -30 are the published ones (2, 4, 2 and 3, 8, 3 modules of two blocks, 40 channels, stem of 32). How
wide and deep the two Plus networks are is unpublished, and no code exists. Theirs here are chosen to meet the published
cost at 96 px and 68 points:

| name | published | here |
|---|---|---|
| `lite_hrnet_plus_10m` | 0.37 M, 10.25 M | 0.372 M, 10.25 M |
| `lite_hrnet_plus_30m` | 1.51 M, 30.27 M | 1.504 M, 30.26 M |

FLOPs of the paper are multiply-accumulates. Upsampling of an output is by cell centres (`align_corners=False`), as
every coordinate in this project.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.models.channel_weighting import ChannelWeighting
from distill.models.fusion import Branches, conv_norm, make_fusion
from distill.models.heatmap_net import HeatmapNet
from distill.models.map_head import MapHead, MultiResolution, start_dark
from distill.models.zoo import register


@dataclass(frozen=True)
class Shape:
    """How wide and deep a network is.

    Raises:
        ConfigError: another number of stages, or sides that cannot be cut in halves.

    Attributes:
        stem: channels of the stem.
        width: channels of the highest branch.
        modules: of each stage.
        blocks: of conditional channel weighting in a module.
        fusion: see `distill.models.fusion.make_fusion`.
        plus: an output from every branch, instead of the iterative one.
        reduction: of SCAF.
    """

    stem: int
    width: int
    modules: tuple[int, int, int]
    blocks: int
    fusion: str
    plus: bool
    reduction: int = 8

    def __post_init__(self) -> None:
        if self.width % 2 or self.stem % 2:
            raise ConfigError(f"stem {self.stem} and width {self.width} are cut in halves: take even ones")
        if len(self.modules) != 3 or min(*self.modules, self.blocks) < 1:
            raise ConfigError(f"modules {list(self.modules)} and blocks {self.blocks}: three stages, each of 1 or more")


_SHAPES = {
    "lite_hrnet_18": Shape(32, 40, (2, 4, 2), 2, "conv", plus=False),
    "lite_hrnet_30": Shape(32, 40, (3, 8, 3), 2, "conv", plus=False),
    "lite_hrnet_plus_10m": Shape(24, 28, (3, 2, 2), 3, "scaf", plus=True),
    "lite_hrnet_plus_30m": Shape(48, 40, (4, 8, 4), 3, "scaf", plus=True),
}


class Stem(nn.Module):
    """Crops -> maps at a quarter of their side: a 3x3 of stride 2, then a shuffle block of stride 2.

    The channels of its output are interchangeable, so that shuffling them would only rename them.
    """

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.each, act = half, nn.ReLU(inplace=True)
        self.first = nn.Sequential(*conv_norm(3, channels, 3, 2), act)
        self.short = nn.Sequential(*conv_norm(half, half, 3, 2, half), *conv_norm(half, half, 1), act)
        self.long = nn.Sequential(
            *conv_norm(half, channels, 1),
            act,
            *conv_norm(channels, channels, 3, 2, channels),
            *conv_norm(channels, half, 1),
            act,
        )

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h4 w4"]:
        short, long = self.first(x).split(self.each, 1)
        return torch.cat([self.short(short), self.long(long)], 1)


def _separable(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Return a depthwise 3x3 and a 1x1, which end in a ReLU."""
    return nn.Sequential(
        *conv_norm(in_channels, in_channels, 3, stride, in_channels),
        *conv_norm(in_channels, out_channels, 1),
        nn.ReLU(inplace=True),
    )


class LiteHRNetBody(nn.Module):
    """Crops (b, 3, h, w) -> four branches, from a quarter to 1 / 32 of their side."""

    def __init__(self, shape: Shape):
        super().__init__()
        widths = [shape.width * 2**i for i in range(4)]
        self.stem = Stem(shape.stem)
        self.first = _separable(shape.stem, widths[0], 1)
        self.begin = nn.ModuleList(_separable(c, widths[i + 1], 2) for i, c in enumerate([shape.stem, *widths[1:3]]))
        self.stages, begun = nn.ModuleList(), [0, 0]
        for count in shape.modules:
            channels, layers = widths[: len(begun)], list[nn.Module]()
            for _ in range(count):
                for _ in range(shape.blocks):
                    layers.append(ChannelWeighting(channels, begun))
                    begun = [steps + 1 for steps in begun]
                layers.append(make_fusion(shape.fusion, channels, shape.reduction))
            self.stages.append(nn.Sequential(*layers))
            begun = [*begun, 0]
        self.channels = widths

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        x = self.stem(images)
        branches, last = [self.first(x)], x
        for begin, stage in zip(self.begin, self.stages, strict=True):
            branches = stage([*branches, begin(last)])
            last = branches[-1]
        return branches


class Iterative(nn.Module):
    """Lite-HRNet's output: from the lowest branch up, each is added to the one above it; a 1x1 at the end."""

    def __init__(self, channels: Sequence[int], n_points: int):
        super().__init__()
        above = [channels[0], *channels[:-1]]
        self.projects = nn.ModuleList(_separable(*pair, 1) for pair in zip(channels, above, strict=True))
        self.last = nn.Conv2d(channels[0], n_points, 1)
        start_dark(self.last)

    def forward(self, branches: Branches) -> Float[Tensor, "b k h w"]:
        x = self.projects[-1](branches[-1])
        for project, branch in zip(self.projects[-2::-1], branches[-2::-1], strict=True):
            x = project(branch + nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear"))
        return self.last(x)


@register("lite_hrnet_18", "lite_hrnet_30", size=96, loss="mse")
@register("lite_hrnet_plus_10m", "lite_hrnet_plus_30m", size=96, loss="bce")
def lite_hrnet(name: str, scheme: str, *, decode: str = "soft", **shape: Any) -> HeatmapNet:
    """Build Lite-HRNet with 18 or 30 layers, or Lite-HRNet Plus of 10 or 30 million multiply-accumulates.

    Args:
        name: the zoo name.
        scheme: landmark scheme.
        decode: see `distill.models.map_head.MapHead`.
        shape: fields of `Shape` to change, such as `{fusion: group, modules: [2, 3, 2]}` for the ablation of Plus.

    Raises:
        ConfigError: an unknown fusion, or a size that cannot be built.
    """
    changed = replace(_SHAPES[name], **shape)
    body, n_points = LiteHRNetBody(changed), load_scheme(scheme).n_points
    logits = (MultiResolution if changed.plus else Iterative)(body.channels, n_points)
    # The paper's input is in [0, 1]; the first norm does the rest.
    return HeatmapNet(body, nn.Identity(), MapHead(logits, decode), mean=[0.0] * 3, std=[1.0] * 3)
