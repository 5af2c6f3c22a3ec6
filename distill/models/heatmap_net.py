"""Heatmap network of a backbone, a neck and a head, shared by teacher and student."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.models.backbone import Pretrained, create_backbone, require_backbone
from distill.models.heads import AAMHead, Prediction
from distill.models.necks import neck_named


class HeatmapNet(nn.Module):
    """Backbone -> neck -> head that predicts maps.

    Args:
        backbone: a timm `features_only` model, or another that returns maps from the highest resolution to the lowest.
        neck: maps the backbone's features to the head's input, usually one map at stride 4.
        head: predicts and decodes the maps.
        mean, std: per-channel statistics (RGB, images in [0, 1]) the backbone expects.
        channels_last: the backbone returns (b, h, w, c) features, as Swin does.
        size_multiple: sides of the input must be multiples of this.
        feature_noise: standard deviation of Gaussian noise added to the deepest feature in training. The paper's
            code adds 0.1 in evaluation too, which makes its own distillation targets noisy; here evaluation is exact.
    """

    # Modules that stay in floats in integer files, as regular expressions: the AAM head multiplies maps, which 8 bits
    # flatten; the others are those of `int8_hybrid`.
    float_modules: ClassVar = ("head", r"head\.normalise")
    hybrid_modules: ClassVar = (r"head\..*", r"neck(\..*)?")
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        neck: nn.Module,
        head: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        channels_last: bool = False,
        size_multiple: int = 32,
        feature_noise: float = 0.0,
    ):
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.channels_last = channels_last
        self.size_multiple = size_multiple
        self.feature_noise = feature_noise
        self.loaded_weights = getattr(backbone, "loaded_weights", None)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Prediction:
        """RGB crops in [0, 1] -> maps at a quarter of their resolution and the decoded landmarks.

        Raises:
            ConfigError: the crops are not of a size the backbone can halve often enough.
        """
        height, width = images.shape[-2:]
        if height % self.size_multiple or width % self.size_multiple:
            raise ConfigError(f"crops of {width} x {height} px: this network needs multiples of {self.size_multiple}")
        features = list(self.backbone((images - self.mean) / self.std))
        if self.channels_last:
            features = [feature.permute(0, 3, 1, 2) for feature in features]
        if self.training and self.feature_noise:
            features[-1] = features[-1] + self.feature_noise * torch.randn_like(features[-1])
        prediction: Prediction = self.head(self.neck(features))
        return prediction


def aam_head(width: int, scheme: str) -> AAMHead:
    """Build the AAM head of a scheme.

    Raises:
        ConfigError: the scheme has no edges.
    """
    _require_edges(scheme)
    return AAMHead(width, load_scheme(scheme))


def _require_edges(scheme: str) -> None:
    if not load_scheme(scheme).edges:
        raise ConfigError(
            f"scheme {scheme} has no edges, which this network has maps of: add some, or take a network that regresses "
            "points, such as efld"
        )


def build_heatmap_net(
    backbone: str,
    scheme: str,
    *,
    neck: str,
    width: int,
    pretrained: Pretrained,
    size_multiple: int = 32,
    feature_noise: float = 0.0,
    **backbone_args: Any,
) -> HeatmapNet:
    """Build a `HeatmapNet` on any timm backbone that offers features at strides 4 to 32.

    Raises:
        ConfigError: unknown backbone or neck, or a scheme without edges.
    """
    require_backbone(backbone)
    _require_edges(scheme)
    neck_type = neck_named(neck)
    # Backbone, neck and head in this order: the first weights of a seed depend on it.
    body = create_backbone(backbone, pretrained, backbone_args, neck_type.strides)
    strides = tuple(body.feature_info.reduction())
    if strides != neck_type.strides:
        raise ConfigError(
            f"timm backbone {backbone} has feature maps at strides {strides}, neck {neck} reads {neck_type.strides}: "
            "choose another, such as resnet18"
        )
    return HeatmapNet(
        body,
        neck_type(body.feature_info.channels(), width),
        aam_head(width, scheme),
        mean=body.default_cfg["mean"],
        std=body.default_cfg["std"],
        channels_last=getattr(body, "output_fmt", None) == "NHWC",
        size_multiple=size_multiple,
        feature_noise=feature_noise,
    )
