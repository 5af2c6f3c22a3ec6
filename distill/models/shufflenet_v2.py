"""ShuffleNetV2 (Ma et al., ECCV 2018, arXiv 1807.11164) of torchvision as a heatmap network, with the AAM head."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.shufflenetv2 import InvertedResidual, ShuffleNetV2

from distill.models.heatmap_net import HeatmapNet, aam_head
from distill.models.necks import neck_named
from distill.models.zoo import register

_REPEATS = [4, 8, 4]
# Channels at strides 4 to 32.
_CHANNELS = {
    "shufflenet_v2_050": [24, 48, 96, 192],
    "shufflenet_v2_100": [24, 116, 232, 464],
    "shufflenet_v2_150": [24, 176, 352, 704],
    "shufflenet_v2_200": [24, 244, 488, 976],
}


class ShuffleUnit(InvertedResidual):
    """Unit of the paper (fig. 3c and d): half of the channels pass, the others are convolved, and both are shuffled."""

    order: Tensor

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__(in_channels, out_channels, stride)
        self.register_buffer("order", torch.arange(out_channels).view(2, -1).t().flatten(), persistent=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        if self.stride == 1:
            half = x.shape[1] // 2
            kept, changed = x[:, :half], x[:, half:]
        else:
            kept, changed = self.branch1(x), x
        return torch.cat([kept, self.branch2(changed)], 1).index_select(1, self.order)


class ShuffleBody(nn.Module):
    """Stages of torchvision's network, which has no output of features; its published weights fit by name."""

    def __init__(self, channels: list[int]):
        super().__init__()
        whole = ShuffleNetV2(_REPEATS, [*channels, 1024], inverted_residual=ShuffleUnit)
        self.conv1, self.maxpool = whole.conv1, whole.maxpool
        self.stage2, self.stage3, self.stage4 = whole.stage2, whole.stage3, whole.stage4

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
