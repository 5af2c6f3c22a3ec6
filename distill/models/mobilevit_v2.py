"""The student: MobileViT-v2 (Mehta and Rastegari, arXiv 2206.02680) of any timm width, with the AAM head."""

from distill.models.heatmap_net import HeatmapNet, build_heatmap_net
from distill.models.zoo import register

_WIDTHS = ("050", "075", "100", "125", "150", "175", "200")
_BACKBONES = {f"mobilevit_v2_{width}": f"mobilevitv2_{width}" for width in _WIDTHS}


@register(*_BACKBONES)
def mobilevit_v2(
    name: str, scheme: str, *, neck: str = "pyramid", width: int = 64, pretrained: bool = False
) -> HeatmapNet:
    """Build a MobileViT-v2 heatmap student; the digits of its name are the width in hundredths.

    Args:
        name: the zoo name.
        scheme: landmark scheme.
        neck: `pyramid`, or `deconv` as in the paper's teacher.
        width: channels between neck and head; equal to the teacher's where its heads are to be inherited.
        pretrained: start from timm's ImageNet weights; from scratch with a warning where they cannot be reached.
    """
    # At stride 32 its patches are 2 x 2 cells; timm would resize odd maps and the pyramid could not join them.
    return build_heatmap_net(_BACKBONES[name], scheme, neck=neck, width=width, pretrained=pretrained, size_multiple=64)
