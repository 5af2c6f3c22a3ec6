"""Multi-task loss of RetinaFace: score with hard-negative mining, box, and five points where they are labelled."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import distance_box_iou_loss

from distill.detection.retinaface.anchors import AnchorConfig, anchor_boxes
from distill.detection.retinaface.coding import corners, decode_boxes, encode_boxes, encode_points
from distill.detection.retinaface.matching import NEGATIVE, MatchConfig, match
from distill.detection.retinaface.net import RawDetections
from distill.errors import ConfigError


@dataclass(frozen=True)
class DetectionLossConfig:
    """Weights and options of the loss.

    Attributes:
        score: weight of the binary cross-entropy.
        box: weight of the box loss.
        points: weight of the smooth L1 loss of the five points.
        box_loss: `diou` (distance IoU of the decoded boxes) or `smooth_l1` (of the offsets, as in the paper).
        negatives: hardest negative priors that count, per positive one.
        least_negatives: negative priors that count in an image at least, so that photos without faces count.
        match: thresholds of the matching.
    """

    score: float = 1.0
    box: float = 2.0
    points: float = 0.1
    box_loss: Literal["diou", "smooth_l1"] = "diou"
    negatives: float = 7.0
    least_negatives: int = 32
    match: MatchConfig = field(default_factory=MatchConfig)

    def __post_init__(self) -> None:
        for name in ("score", "box", "points"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"--loss.{name} {getattr(self, name)} must be at least 0")
        if self.negatives <= 0 or self.least_negatives < 0:
            raise ConfigError("--loss.negatives must be above 0 and --loss.least_negatives at least 0")


class Faces(NamedTuple):
    """Labels of one image, in pixels of the input.

    Attributes:
        boxes: (k, 4), x0, y0, x1, y1.
        ignored: (k,), regions that count nowhere.
        points: (k, 5, 2), NaN where a face has no points.
    """

    boxes: Float[Tensor, "k 4"]
    ignored: Bool[Tensor, " k"]
    points: Float[Tensor, "k 5 2"]


class DetectionLoss(nn.Module):
    """RetinaFace's loss for a batch of outputs and the faces of each image.

    Args:
        anchors: prior boxes of the network.
        config: weights and options.
    """

    def __init__(self, anchors: AnchorConfig, config: DetectionLossConfig | None = None):
        super().__init__()
        self.anchors, self.config = anchors, config or DetectionLossConfig()

    def forward(self, raw: RawDetections, faces: Sequence[Faces], width: int, height: int) -> dict[str, Tensor]:
        """Return the weighted terms `score`, `box` and `points`, and their sum `loss`.

        Args:
            raw: outputs of the network.
            faces: labels of the images.
            width: of the input in pixels.
            height: of the input in pixels.
        """
        anchors = anchor_boxes(self.anchors, width, height).to(raw.logits.device)
        prior_corners = corners(anchors)
        matched = torch.stack([match(prior_corners, f.boxes, f.ignored, self.config.match) for f in faces])
        positive = matched >= 0
        count = positive.sum().clamp(min=1)
        config = self.config
        terms = {"score": config.score * score_loss(raw.logits.float(), matched, config) / count}
        image, prior = positive.nonzero(as_tuple=True)
        # Faces of all images in one list: the matched index of an image starts behind those of the images before.
        starts = torch.tensor([0, *(len(f.boxes) for f in faces[:-1])], device=matched.device).cumsum(0)
        face = matched[positive] + starts[image]
        own = anchors[prior]
        boxes = torch.cat([f.boxes for f in faces])[face]
        points = torch.cat([f.points for f in faces])[face]
        terms["box"] = config.box * box_loss(raw.boxes[positive].float(), boxes, own, config.box_loss) / count
        terms["points"] = config.points * points_loss(raw.points[positive].float(), points, own)
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}


def score_loss(
    logits: Float[Tensor, "b n"], matched: Int64[Tensor, "b n"], config: DetectionLossConfig
) -> Float[Tensor, ""]:
    """Return the summed binary cross-entropy of all positive priors and the hardest negative ones of each image."""
    positive = matched >= 0
    losses = functional.binary_cross_entropy_with_logits(logits, positive.float(), reduction="none")
    wanted = (positive.sum(dim=1) * config.negatives).clamp(min=config.least_negatives)
    # The loss of a negative grows with its logit, so sorting logits ranks them.
    hardness = logits.detach().masked_fill(matched != NEGATIVE, -torch.inf)
    rank = hardness.argsort(dim=1, descending=True).argsort(dim=1)
    hardest = (rank < wanted[:, None]) & (matched == NEGATIVE)
    return losses[positive | hardest].sum()


def box_loss(
    offsets: Float[Tensor, "m 4"], boxes: Float[Tensor, "m 4"], anchors: Float[Tensor, "m 4"], kind: str
) -> Float[Tensor, ""]:
    """Return the summed box loss of positive priors."""
    if kind == "diou":
        return distance_box_iou_loss(decode_boxes(offsets, anchors), boxes, reduction="sum")
    return functional.smooth_l1_loss(offsets, encode_boxes(boxes, anchors), reduction="sum")


def points_loss(
    offsets: Float[Tensor, "m 10"], points: Float[Tensor, "m 5 2"], anchors: Float[Tensor, "m 4"]
) -> Float[Tensor, ""]:
    """Return the smooth L1 loss of the points, averaged over the positive priors whose face has points."""
    labelled = torch.isfinite(points).all(dim=(1, 2))
    target = encode_points(points[labelled], anchors[labelled])
    total = functional.smooth_l1_loss(offsets[labelled], target, reduction="sum")
    return total / labelled.sum().clamp(min=1)
