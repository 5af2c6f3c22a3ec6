"""Decode the outputs of RetinaFace to boxes, scores and points, with hard or soft non-maximum suppression."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.ops import box_iou, nms

from distill.detection.retinaface.anchors import AnchorConfig, anchor_boxes
from distill.detection.retinaface.coding import decode_boxes, decode_points
from distill.detection.retinaface.net import RawDetections
from distill.errors import ConfigError


@dataclass(frozen=True)
class DecodeConfig:
    """What counts as a detection.

    Attributes:
        min_score: lowest score in [0, 1].
        iou: overlap above which the weaker of two boxes is suppressed (hard) or weakened (soft).
        suppression: `hard` removes the weaker box; `soft` multiplies its score by 1 - IoU (linear soft NMS).
        candidates: best priors of an image that suppression begins with.
    """

    min_score: float = 0.5
    iou: float = 0.4
    suppression: Literal["hard", "soft"] = "hard"
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
        config: thresholds and kind of suppression.
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
    if config.suppression == "hard":
        kept = nms(boxes, scores, config.iou)
        return Detections(boxes[kept], scores[kept], points[kept])
    kept, scores = soft_nms(boxes, scores, config.iou, config.min_score)
    return Detections(boxes[kept], scores, points[kept])


def soft_nms(
    boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], iou: float, min_score: float
) -> tuple[Tensor, Tensor]:
    """Linear soft non-maximum suppression: return the indices of the boxes kept and their lowered scores, best first.

    A box that overlaps a better one by more than `iou` has its score multiplied by 1 - IoU; below `min_score` it is
    dropped.
    """
    left, weights = torch.arange(len(boxes)), scores.clone()
    kept, final = [], []
    while len(left):
        best = int(weights.argmax())
        kept.append(left[best])
        final.append(weights[best])
        overlap = box_iou(boxes[left[best]][None], boxes[left])[0]
        weights = torch.where(overlap > iou, weights * (1 - overlap), weights)
        stay = weights >= min_score
        stay[best] = False
        left, weights = left[stay], weights[stay]
    if not kept:
        return left, weights
    return torch.stack(kept), torch.stack(final)
