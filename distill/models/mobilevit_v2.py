"""Student network: MobileViT-v2 (Mehta and Rastegari, arXiv 2206.02680) of any timm width, with the AAM head."""

from torch import nn

from distill.errors import ConfigError, suggest
from distill.models.backbone import Pretrained
from distill.models.heatmap_net import HeatmapNet, build_heatmap_net
from distill.models.zoo import register

_WIDTHS = ("050", "075", "100", "125", "150", "175", "200")
_BACKBONES = {f"mobilevit_v2_{width}": f"mobilevitv2_{width}" for width in _WIDTHS}

_ACTIVATIONS = ("silu", "hard_swish", "relu")
_NORMS = ("group", "batch")


@register(*_BACKBONES, size=256, loss="maps")
def mobilevit_v2(
    name: str,
    scheme: str,
    *,
    neck: str = "pyramid",
    width: int = 64,
    pretrained: Pretrained = False,
    activation: str = "silu",
    norm: str = "group",
    feature_noise: float = 0.0,
) -> HeatmapNet:
    """Build a MobileViT-v2 heatmap student; the digits of its name are the width in hundredths.

    What each choice costs in an exported file is measured in docs/explanation/latency.md.

    Args:
        name: the zoo name.
        scheme: landmark scheme.
        neck: `pyramid`, or another of `distill.models.necks.NECKS`.
        width: channels between neck and head; equal to the teacher's where its heads are to be inherited.
        pretrained: timm's ImageNet weights: true, false or `auto`; see `distill.models.backbone.create_backbone`.
        activation: `silu` as published, or `hard_swish` (one operator instead of two) or `relu` (free, and good in
            int8), for networks trained so.
        norm: of the transformers: `group` as published, or `batch`, which is folded into the convolutions behind it.
        feature_noise: see `HeatmapNet`.

    Raises:
        ConfigError: an unknown neck, activation or norm.
    """
    if activation not in _ACTIVATIONS:
        raise ConfigError(f"unknown activation '{activation}': {suggest(activation, list(_ACTIVATIONS))}")
    if norm not in _NORMS:
        raise ConfigError(f"unknown norm '{norm}': {suggest(norm, list(_NORMS))}")
    net = build_heatmap_net(
        _BACKBONES[name],
        scheme,
        neck=neck,
        width=width,
        pretrained=pretrained,
        # At stride 32 its patches are 2 x 2 cells; timm would resize odd maps and the pyramid could not join them.
        size_multiple=64,
        feature_noise=feature_noise,
        act_layer=activation,
    )
    if norm == "batch":
        _use_batch_norm(net.backbone)
    return net


def _use_batch_norm(module: nn.Module) -> None:
    """Replace every GroupNorm of one group by a batch norm."""
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm):
            setattr(module, name, nn.BatchNorm2d(child.num_channels))
        else:
            _use_batch_norm(child)
