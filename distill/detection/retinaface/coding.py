"""Box and point encoding of RetinaFace: offsets from prior boxes in units of their size (SSD's variances)."""

import torch
from jaxtyping import Float
from torch import Tensor

from distill.detection.retinaface.priors import CENTRE_VARIANCE, LARGEST_LOG_RATIO, SIZE_VARIANCE


def corners(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Return boxes (centre x, centre y, width, height) as (x0, y0, x1, y1)."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def encode_boxes(boxes: Float[Tensor, "*n 4"], anchors: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Return the offsets of boxes (x0, y0, x1, y1) from anchors (centre x, centre y, width, height)."""
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1e-3)
    moved = (centre - anchors[..., :2]) / anchors[..., 2:] / CENTRE_VARIANCE
    return torch.cat([moved, (size / anchors[..., 2:]).log() / SIZE_VARIANCE], dim=-1)


def decode_boxes(offsets: Float[Tensor, "*n 4"], anchors: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Inverse of `encode_boxes`: return boxes (x0, y0, x1, y1) in pixels of the input."""
    centre = anchors[..., :2] + offsets[..., :2] * CENTRE_VARIANCE * anchors[..., 2:]
    ratio = (offsets[..., 2:] * SIZE_VARIANCE).clamp(max=LARGEST_LOG_RATIO)
    return corners(torch.cat([centre, anchors[..., 2:] * ratio.exp()], dim=-1))


def encode_points(points: Float[Tensor, "*n 5 2"], anchors: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 10"]:
    """Return the offsets of five points (x, y) from anchors (centre x, centre y, width, height)."""
    moved = (points - anchors[..., None, :2]) / anchors[..., None, 2:] / CENTRE_VARIANCE
    return moved.flatten(-2)


def decode_points(offsets: Float[Tensor, "*n 10"], anchors: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 5 2"]:
    """Inverse of `encode_points`: return five points in pixels of the input."""
    moved = offsets.unflatten(-1, (-1, 2)) * CENTRE_VARIANCE
    return anchors[..., None, :2] + moved * anchors[..., None, 2:]
