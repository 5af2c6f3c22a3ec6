"""Match prior boxes to faces: positive, negative or not counted."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torchvision.ops import box_iou

NEGATIVE = -1
NOT_COUNTED = -2


@dataclass(frozen=True)
class MatchConfig:
    """Thresholds of the matching, as intersection over union of prior and face.

    Attributes:
        positive: from here on a prior shows the face.
        negative: below it a prior shows none; between the two it does not count.
        least: priors that every face gets, the best ones, if their overlap is at least `lowest` (S3FD's scale
            compensation, for faces between two sizes of priors).
        lowest: smallest overlap of a positive prior; a face without any such prior counts as ignored.
        covered: priors of which this share lies in an ignored region do not count.
    """

    positive: float = 0.4
    negative: float = 0.3
    least: int = 3
    lowest: float = 0.15
    covered: float = 0.5


def match(
    anchors: Float[Tensor, "n 4"], faces: Float[Tensor, "k 4"], ignored: Bool[Tensor, " k"], config: MatchConfig
) -> Int64[Tensor, " n"]:
    """Return for every prior the index of its face, or `NEGATIVE`, or `NOT_COUNTED`.

    Args:
        anchors: priors as (x0, y0, x1, y1).
        faces: boxes (x0, y0, x1, y1) of the photo, in pixels of the input.
        ignored: which of them are neither to be found nor to be taken as background.
        config: thresholds.
    """
    matched = torch.full((len(anchors),), NEGATIVE, dtype=torch.int64, device=anchors.device)
    if not len(faces):
        return matched
    overlap = box_iou(faces, anchors)
    overlap[ignored] = 0
    best, face = overlap.max(dim=0)
    matched[best >= config.negative] = NOT_COUNTED
    too_small = overlap.max(dim=1).values < config.lowest
    regions = faces[ignored | too_small]
    if len(regions):
        matched[covered_share(anchors, regions) >= config.covered] = NOT_COUNTED
    # Every face claims its best priors; where two claim one, the larger overlap wins.
    count = min(config.least, len(anchors))
    rank_limit = overlap.topk(count, dim=1).values[:, -1:]
    claims = torch.where((overlap >= rank_limit) & (overlap >= config.lowest), overlap, torch.zeros(()))
    claimed, claimant = claims.max(dim=0)
    positive = (best >= config.positive) | (claimed > 0)
    matched[positive] = torch.where(best >= config.positive, face, claimant)[positive]
    # The very best prior of a face is its own even where another face overlaps it more.
    own = ~(ignored | too_small)
    matched[overlap[own].argmax(dim=1)] = own.nonzero().squeeze(1)
    return matched


def covered_share(boxes: Float[Tensor, "n 4"], regions: Float[Tensor, "k 4"]) -> Float[Tensor, " n"]:
    """Return the largest share of each box (x0, y0, x1, y1) that lies in one of the regions."""
    low = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=-1).clamp(min=torch.finfo(boxes.dtype).tiny)
    return shared.max(dim=1).values / area
