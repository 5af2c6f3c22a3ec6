"""Heatmap networks on any timm backbone: `timm:NAME`, with the AAM head."""

from functools import partial
from typing import Any

from distill.models.backbone import Pretrained, require_backbone
from distill.models.heatmap_net import HeatmapNet, build_heatmap_net
from distill.models.zoo import ZooEntry, register_family
from distill.system.timm_package import timm

_PREFIX = "timm:"
_SIZE = 256


@register_family(_PREFIX)
def timm_entry(name: str) -> ZooEntry:
    """Return the registry entry of `timm:NAME`; its size is 256, or the one that the backbone is restricted to.

    Raises:
        ConfigError: timm has no such backbone.
    """
    backbone = name.removeprefix(_PREFIX)
    require_backbone(backbone)
    fixed = _fixed_size(backbone)
    return ZooEntry(partial(timm_net, fixed=fixed is not None) if fixed else timm_net, fixed or _SIZE, "maps")


def timm_net(
    name: str,
    scheme: str,
    *,
    image_size: int | None = None,
    neck: str = "pyramid",
    width: int = 64,
    pretrained: Pretrained = False,
    feature_noise: float = 0.0,
    backbone_args: dict[str, Any] | None = None,
    fixed: bool = False,
) -> HeatmapNet:
    """Build a heatmap network on a timm backbone.

    Args:
        name: `timm:NAME`.
        scheme: landmark scheme.
        image_size: side of the square crop in pixels, for backbones that are built for one size.
        neck: one of `distill.models.necks.NECKS`.
        width: channels between neck and head; equal to the teacher's where its heads are to be inherited.
        pretrained: timm's weights: true, false or `auto`; see `distill.models.backbone.create_backbone`.
        feature_noise: see `HeatmapNet`.
        backbone_args: further arguments of the timm model.
        fixed: the backbone takes the size as its argument `img_size`.

    Raises:
        ConfigError: a backbone without feature maps at strides 4 to 32, or an unknown neck.
    """
    args = {"img_size": image_size} if fixed and image_size else {}
    return build_heatmap_net(
        name.removeprefix(_PREFIX),
        scheme,
        neck=neck,
        width=width,
        pretrained=pretrained,
        # Patches of MobileViT are 2 x 2 cells at stride 32.
        size_multiple=64 if "mobilevit" in name else 32,
        feature_noise=feature_noise,
        **args,
        **(backbone_args or {}),
    )


def _fixed_size(backbone: str) -> int | None:
    config = timm.get_pretrained_cfg(backbone)
    return int(config.input_size[-1]) if config is not None and config.fixed_input_size else None
