"""ShuffleNetV2 (Ma et al., ECCV 2018, arXiv 1807.11164) of torchvision as a heatmap network, with the AAM head."""

from jaxtyping import Float
from torch import Tensor, nn
from torchvision import models

from distill.models.heatmap_net import HeatmapNet, aam_head
from distill.models.necks import neck_named
from distill.models.zoo import register

_BODIES = {
    "shufflenet_v2_050": models.shufflenet_v2_x0_5,
    "shufflenet_v2_100": models.shufflenet_v2_x1_0,
    "shufflenet_v2_150": models.shufflenet_v2_x1_5,
    "shufflenet_v2_200": models.shufflenet_v2_x2_0,
}
# At strides 4 to 32.
_CHANNELS = {
    "shufflenet_v2_050": (24, 48, 96, 192),
    "shufflenet_v2_100": (24, 116, 232, 464),
    "shufflenet_v2_150": (24, 176, 352, 704),
    "shufflenet_v2_200": (24, 244, 488, 976),
}


class ShuffleBody(nn.Module):
    """Stages of torchvision's network, which has no output of features; its published weights fit by name."""

    def __init__(self, whole: models.ShuffleNetV2):
        super().__init__()
        self.conv1, self.maxpool = whole.conv1, whole.maxpool
        self.stage2, self.stage3, self.stage4 = whole.stage2, whole.stage3, whole.stage4

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        features = [self.maxpool(self.conv1(images))]
        for stage in (self.stage2, self.stage3, self.stage4):
            features.append(stage(features[-1]))
        return features


@register(*_BODIES, size=256, loss="maps")
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
        ShuffleBody(_BODIES[name](weights=None)),
        neck_named(neck)(_CHANNELS[name], width),
        aam_head(width, scheme),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        feature_noise=feature_noise,
    )
