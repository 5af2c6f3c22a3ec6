"""Decoding: scores, positions and suppression."""

import pytest
import torch

from distill.detection.retinaface.anchors import AnchorConfig, anchor_boxes
from distill.detection.retinaface.coding import encode_boxes, encode_points
from distill.detection.retinaface.decode import DecodeConfig, decode
from distill.detection.retinaface.net import RawDetections
from distill.errors import ConfigError

BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
SCORES = torch.tensor([0.9, 0.8, 0.7])


def outputs() -> RawDetections:
    """Three priors with boxes of their own, all others without a face."""
    anchors = anchor_boxes(AnchorConfig(), 64, 64)
    logits = torch.full((1, len(anchors)), -10.0)
    logits[0, :3] = torch.logit(SCORES)
    boxes = torch.zeros(1, len(anchors), 4)
    boxes[0, :3] = encode_boxes(BOXES, anchors[:3])
    points = torch.zeros(1, len(anchors), 10)
    points[0, :3] = encode_points(BOXES[:, None, :2] + torch.arange(5.0)[:, None], anchors[:3])
    return RawDetections(logits, boxes, points)


def test_suppression_keeps_the_best_of_overlapping_boxes() -> None:
    (found,) = decode(outputs(), AnchorConfig(), 64, 64, DecodeConfig(min_score=0.5))
    assert torch.allclose(found.boxes, BOXES[[0, 2]], atol=1e-3)
    assert torch.allclose(found.scores, SCORES[[0, 2]], atol=1e-5)
    assert torch.allclose(found.points[1], BOXES[2, :2] + torch.arange(5.0)[:, None], atol=1e-3)


def test_no_face() -> None:
    (found,) = decode(outputs(), AnchorConfig(), 64, 64, DecodeConfig(min_score=0.95))
    assert found.boxes.shape == (0, 4)
    assert found.points.shape == (0, 5, 2)


def test_thresholds_are_checked() -> None:
    with pytest.raises(ConfigError, match="min_score"):
        DecodeConfig(min_score=1.5)
