"""RetinaFace network: MobileNetV2 (timm), feature pyramid, SSH context modules, heads for score, box and points."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.detection.retinaface.anchors import AnchorConfig
from distill.detection.retinaface.blocks import ContextModule, FeaturePyramid
from distill.errors import ConfigError
from distill.system.timm_package import timm

# Channels of pyramid and heads by width multiplier of the backbone.
PYRAMID_WIDTHS = {1.0: 64, 0.5: 40, 0.35: 32, 0.25: 24}
N_POINTS = 5

# ImageNet statistics of the pretrained backbone, in [0, 1].
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Probability that an untrained network gives every prior, so that the first steps are not spent on negatives.
_PRIOR_PROBABILITY = 0.01


@dataclass(frozen=True)
class RetinaFaceConfig:
    """Architecture of the detector.

    Attributes:
        width: width multiplier of MobileNetV2: 1.0, 0.5, 0.35 or 0.25.
        pyramid: channels of pyramid and heads, a multiple of 4; by default a number for each width.
        anchors: prior boxes.
    """

    width: float = 0.35
    pyramid: int | None = None
    anchors: AnchorConfig = field(default_factory=AnchorConfig)

    def __post_init__(self) -> None:
        if self.width not in PYRAMID_WIDTHS:
            raise ConfigError(f"width multiplier {self.width}: give one of {', '.join(map(str, PYRAMID_WIDTHS))}")
        if self.pyramid is not None and (self.pyramid < 4 or self.pyramid % 4):
            raise ConfigError(f"pyramid {self.pyramid} must be a positive multiple of 4: the context modules split it")

    @property
    def pyramid_or_default(self) -> int:
        return PYRAMID_WIDTHS[self.width] if self.pyramid is None else self.pyramid


class RawDetections(NamedTuple):
    """Outputs of the network for n priors, in the order of `anchor_boxes`.

    Attributes:
        logits: (b, n), of the probability that a prior shows a face.
        boxes: (b, n, 4), offsets as `encode_boxes` defines them.
        points: (b, n, 10), offsets of five points as `encode_points` defines them, x and y alternating.
    """

    logits: Float[Tensor, "b n"]
    boxes: Float[Tensor, "b n 4"]
    points: Float[Tensor, "b n 10"]


class Heads(nn.Module):
    """The 1x1 convolutions of one feature map: score, box and points of every prior of a cell."""

    def __init__(self, width: int, priors: int):
        super().__init__()
        self.score = nn.Conv2d(width, priors, 1)
        self.box = nn.Conv2d(width, priors * 4, 1)
        self.points = nn.Conv2d(width, priors * 2 * N_POINTS, 1)
        for layer in (self.score, self.box, self.points):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        odds = _PRIOR_PROBABILITY / (1 - _PRIOR_PROBABILITY)
        nn.init.constant_(self.score.bias, torch.tensor(odds, device="cpu").log().item())  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch = x.shape[0]
        score, box, points = (head(x).permute(0, 2, 3, 1) for head in (self.score, self.box, self.points))
        return score.reshape(batch, -1), box.reshape(batch, -1, 4), points.reshape(batch, -1, 2 * N_POINTS)


class RetinaFace(nn.Module):
    """Face detector: images (b, 3, h, w) in [0, 1] RGB, sides multiples of 32 -> `RawDetections`."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: RetinaFaceConfig | None = None):
        super().__init__()
        self.config = config or RetinaFaceConfig()
        self.backbone = mobilenet_v2(self.config.width)
        width = self.config.pyramid_or_default
        self.pyramid = FeaturePyramid(self.backbone.feature_info.channels(), width)  # type: ignore[union-attr, operator]
        levels = range(len(self.config.anchors.strides))
        self.context = nn.ModuleList(ContextModule(width) for _ in levels)
        self.heads = nn.ModuleList(Heads(width, self.config.anchors.per_cell) for _ in levels)
        self.register_buffer("mean", torch.tensor(_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> RawDetections:
        return self.with_features(images)[0]

    def with_features(self, images: Float[Tensor, "b 3 h w"]) -> tuple[RawDetections, list[Float[Tensor, "b c h w"]]]:
        """Return the outputs and the maps that the heads read, those of the context modules, finest first."""
        maps = self.pyramid(self.backbone((images - self.mean) / self.std))
        features, parts = list[Tensor](), []
        for head, context, x in zip(self.heads, self.context, maps, strict=True):
            features.append(context(x))
            parts.append(head(features[-1]))
        logits, boxes, points = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return RawDetections(logits, boxes, points), features


def mobilenet_v2(width: float, features: bool = True) -> nn.Module:
    """Return timm's MobileNetV2 with a width multiplier: feature maps of stride 8, 16 and 32, or the classifier.

    timm registers no name for the width 0.25, so its generator is called directly.
    """
    options = {"features_only": True, "out_indices": (2, 3, 4)} if features else {}
    return timm.models.efficientnet._gen_mobilenet_v2("mobilenetv2_100", width, pretrained=False, **options)
