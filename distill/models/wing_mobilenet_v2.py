"""Coordinates regressed by MobileNetV2 and trained with the Wing loss, as the Lite-HRNet Plus paper compares it.

The paper (Kato et al., table 1) states 1.60 M weights and 41.56 M operations at 96 px, and not the architecture.
MobileNetV2 (Sandler et al., CVPR 2018, arXiv 1801.04381) of width 0.75 with one linear layer behind its pooled features
has 1,606,500 weights for the 98 points of WFLW and, where batch norms, activations and pooling count besides
convolutions and the linear layer, 41.56 M operations.
"""

from collections.abc import Sequence

from distill.models.regression import RegressionNet, dense_heads
from distill.models.zoo import register
from distill.system.timm_package import timm

_BACKBONE = "mobilenetv2_075"


@register("wing_mobilenet_v2", size=96, loss="wing")
def wing_mobilenet_v2(
    name: str, scheme: str, *, image_size: int = 96, others: Sequence[str] = (), uncertainty: bool = False
) -> RegressionNet:
    """Build MobileNetV2 of width 0.75 with a linear layer to coordinates.

    Args:
        name: the zoo name.
        scheme: landmark scheme of the main head.
        image_size: side of the square crop in pixels.
        others: further landmark schemes, each with a head of its own, for training on several data sets.
        uncertainty: the main head also predicts a standard deviation for each point; see `DenseHead`.

    Raises:
        ConfigError: a scheme named twice.
    """
    body = timm.create_model(_BACKBONE, pretrained=False, num_classes=0)
    schemes = [scheme, *others]
    heads = dense_heads(body.num_features, schemes, layers=0, width=0, uncertainty=uncertainty)
    return RegressionNet(body, heads, schemes, image_size)
