"""Teacher network: SwinV2 (Liu et al., CVPR 2022, arXiv 2111.09883) of any timm size, with the AAM head."""

from typing import Any

from distill.errors import ConfigError
from distill.models.backbone import Pretrained
from distill.models.heatmap_net import HeatmapNet, build_heatmap_net
from distill.models.zoo import register


@register("swin_v2", size=256, loss="maps")
def swin_v2(
    name: str,
    scheme: str,
    *,
    backbone: str = "swinv2_tiny_window8_256",
    image_size: int = 256,
    neck: str = "deconv",
    width: int = 256,
    feature_noise: float = 0.0,
    pretrained: Pretrained = False,
    backbone_args: dict[str, Any] | None = None,
) -> HeatmapNet:
    """Build a SwinV2 heatmap teacher.

    Args:
        name: the zoo name.
        scheme: landmark scheme.
        backbone: any timm SwinV2 name.
        image_size: side of the square crop in pixels, a multiple of 32.
        neck: `deconv` as in the paper, or `pyramid`.
        width: channels between neck and head.
        feature_noise: see `HeatmapNet` (the paper: 0.1).
        pretrained: timm's weights: true, false or `auto`; see `distill.models.backbone.create_backbone`.
        backbone_args: further arguments of the timm model, such as `embed_dim`, `depths` and `num_heads`.

    Raises:
        ConfigError: an unknown backbone or neck, or a size the strides do not divide.
    """
    if image_size % 32:
        raise ConfigError(
            f"image_size {image_size} of {name} is no multiple of 32: take {round(image_size / 32) * 32 or 32}"
        )
    return build_heatmap_net(
        backbone,
        scheme,
        neck=neck,
        width=width,
        pretrained=pretrained,
        feature_noise=feature_noise,
        img_size=image_size,
        **(backbone_args or {}),
    )
