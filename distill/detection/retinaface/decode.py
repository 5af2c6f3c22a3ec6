"""Decode the outputs of RetinaFace to boxes, scores and points, in PyTorch; `detector` does so for exported files."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor
from torchvision.ops import nms

from distill.detection.retinaface.anchors import AnchorConfig, anchor_boxes
from distill.detection.retinaface.coding import decode_boxes, decode_points
from distill.detection.retinaface.net import RawDetections
from distill.errors import ConfigError


@dataclass(frozen=True)
class DecodeConfig:
    """What counts as a detection.

    Attributes:
        min_score: lowest score in [0, 1].
        iou: overlap above which the weaker of two boxes is suppressed.
        candidates: best priors of an image that suppression begins with.
    """

    min_score: float = 0.5
    iou: float = 0.4
    candidates: int = 2000

    def __post_init__(self) -> None:
        for name in ("min_score", "iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"detector: {name} {getattr(self, name)} must be in [0, 1]")


class Detections(NamedTuple):
    """Faces of one image, best score first, in pixels of the input.

    Attributes:
        boxes: (k, 4), x0, y0, x1, y1.
        scores: (k,), in [0, 1].
        points: (k, 5, 2).
    """

    boxes: Float[Tensor, "k 4"]
    scores: Float[Tensor, " k"]
    points: Float[Tensor, "k 5 2"]


def decode(
    raw: RawDetections, anchors: AnchorConfig, width: int, height: int, config: DecodeConfig
) -> list[Detections]:
    """Return the detections of every image of a batch.

    Args:
        raw: outputs of the network for inputs of `width` x `height` pixels.
        anchors: prior boxes of the network.
        width: of the input in pixels.
        height: of the input in pixels.
        config: thresholds.
    """
    priors = anchor_boxes(anchors, width, height).to(raw.logits.device)
    return [
        _decode_image(RawDetections(*parts), priors, config)
        for parts in zip(raw.logits.float(), raw.boxes.float(), raw.points.float(), strict=True)
    ]


def _decode_image(raw: RawDetections, priors: Tensor, config: DecodeConfig) -> Detections:
    scores = raw.logits.sigmoid()
    scores, best = scores.topk(min(config.candidates, len(scores)))
    best, scores = best[scores >= config.min_score], scores[scores >= config.min_score]
    boxes = decode_boxes(raw.boxes[best], priors[best])
    points = decode_points(raw.points[best], priors[best])
    kept = nms(boxes, scores, config.iou)
    return Detections(boxes[kept], scores[kept], points[kept])
