"""ShuffleNetV2 (Ma et al., ECCV 2018, arXiv 1807.11164) as a heatmap network, with the AAM head.

Layers have the names of torchvision's network, whose published weights fit with `--model.weights`.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.models.heatmap_net import HeatmapNet, aam_head
from distill.models.necks import neck_named
from distill.models.zoo import register

_REPEATS = (4, 8, 4)
# Channels at strides 4 to 32.
_CHANNELS = {
    "shufflenet_v2_050": (24, 48, 96, 192),
    "shufflenet_v2_100": (24, 116, 232, 464),
    "shufflenet_v2_150": (24, 176, 352, 704),
    "shufflenet_v2_200": (24, 244, 488, 976),
}


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(out_channels)]


class ShuffleUnit(nn.Module):
    """Unit of the paper (fig. 3c and d): half of the channels pass, the others are convolved, and both are shuffled.

    Args:
        in_channels: those of the output where the stride is 1.
        out_channels: even.
        stride: 2 halves the sides; then both halves are convolved from all channels.
    """

    order: Tensor

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.stride, half = stride, out_channels // 2
        first = in_channels if stride > 1 else half
        depthwise = _conv(in_channels, in_channels, 3, stride, in_channels)
        passed = [*depthwise, *_conv(in_channels, half, 1), nn.ReLU(inplace=True)] if stride > 1 else []
        self.branch1 = nn.Sequential(*passed)
        self.branch2 = nn.Sequential(
            *_conv(first, half, 1),
            nn.ReLU(inplace=True),
            *_conv(half, half, 3, stride, half),
            *_conv(half, half, 1),
            nn.ReLU(inplace=True),
        )
        self.register_buffer("order", torch.arange(out_channels).view(2, -1).t().flatten(), persistent=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        return joined(self, x).index_select(1, self.order)


def joined(unit: nn.Module, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
    """Return both halves of the channels of a unit with `stride` and both branches, before the shuffle."""
    if unit.stride == 1:
        half = x.shape[1] // 2
        kept, changed = x[:, :half], x[:, half:]
    else:
        kept, changed = unit.branch1(x), x  # type: ignore[operator]
    return torch.cat([kept, unit.branch2(changed)], 1)  # type: ignore[operator]


class ShuffleBody(nn.Module):
    """Stem and the three stages.

    Args:
        channels: of the stem and the stages.
    """

    def __init__(self, channels: tuple[int, ...]):
        super().__init__()
        self.conv1 = nn.Sequential(*_conv(3, channels[0], 3, 2), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(ShuffleUnit(before, width, 2), *(ShuffleUnit(width, width, 1) for _ in range(repeats - 1)))
            for before, width, repeats in zip(channels[:-1], channels[1:], _REPEATS, strict=True)
        )

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        features = [self.maxpool(self.conv1(images))]
        for stage in (self.stage2, self.stage3, self.stage4):
            features.append(stage(features[-1]))
        return features


@register(*_CHANNELS, size=256, loss="maps")
def shufflenet_v2(
    name: str, scheme: str, *, neck: str = "pyramid", width: int = 64, feature_noise: float = 0.0
) -> HeatmapNet:
    """Build a ShuffleNetV2 heatmap network; the digits of its name are the width in hundredths.

    Args:
        name: the zoo name.
        scheme: landmark scheme.
        neck: one of `distill.models.necks.NECKS`.
        width: channels between neck and head; equal to the teacher's where its heads are to be inherited.
        feature_noise: see `HeatmapNet`.

    Raises:
        ConfigError: an unknown neck, or a scheme without edges.
    """
    return HeatmapNet(
        ShuffleBody(_CHANNELS[name]),
        neck_named(neck)(_CHANNELS[name], width),
        aam_head(width, scheme),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        feature_noise=feature_noise,
    )
