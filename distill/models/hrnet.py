"""HRNet-W18 for faces (HRNetV2, arXiv 1908.07919): high-resolution branches all the way, all of them used at the end.

The body is timm's `hrnet_w18` up to the four branches of its last stage (18, 36, 72 and 144 channels), whose ImageNet
weights fit. Behind it stands the face version's head: all branches brought to the highest resolution, side by side
(270 channels), 1x1 convolution, norm and ReLU, then a 1x1 convolution to a map per landmark, a quarter of the crop's
side. That makes the 9,654,398 weights of the authors' face network for 68 points.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.landmarks import load_scheme
from distill.models.backbone import Pretrained, create_backbone
from distill.models.fusion import Branches
from distill.models.heatmap_net import HeatmapNet
from distill.models.map_head import MapHead, start_dark
from distill.models.zoo import register


class Joined(nn.Module):
    """Branches at strides 4 to 32 -> one map at stride 4 with the channels of all (HRNetV2, fig. 4b)."""

    strides = (4, 8, 16, 32)

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        self.channels = sum(channels)
        # The authors keep the bias in front of the norm, and so do their counts.
        self.mix = nn.Sequential(
            nn.Conv2d(self.channels, self.channels, 1), nn.BatchNorm2d(self.channels), nn.ReLU(inplace=True)
        )

    def forward(self, branches: Branches) -> Float[Tensor, "b c h4 w4"]:
        same = [
            nn.functional.interpolate(x, scale_factor=2.0**i, mode="bilinear") if i else x
            for i, x in enumerate(branches)
        ]
        out: Tensor = self.mix(torch.cat(same, 1))
        return out


@register("hrnet_w18", size=256, loss="mse")
def hrnet(name: str, scheme: str, *, decode: str = "soft", pretrained: Pretrained = False) -> HeatmapNet:
    """Build HRNet-W18 for faces.

    Args:
        name: the zoo name.
        scheme: landmark scheme.
        decode: `soft`, or the authors' `quarter`; see `distill.models.map_head.MapHead`.
        pretrained: timm's ImageNet weights: true, false or `auto`; see `create_backbone`.

    Raises:
        ConfigError: an unknown decoder.
    """
    # Without its classifier's "incre" modules; the first feature is the stem, which is not used.
    body = create_backbone(name, pretrained, {"feature_location": ""}, Joined.strides)
    neck = Joined(body.feature_info.channels())
    logits = nn.Conv2d(neck.channels, load_scheme(scheme).n_points, 1)
    start_dark(logits)
    stats = body.default_cfg
    return HeatmapNet(body, neck, MapHead(logits, decode), mean=stats["mean"], std=stats["std"])
