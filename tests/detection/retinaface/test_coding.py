"""Offsets from priors are inverted exactly."""

import torch

from distill.detection.retinaface.coding import corners, decode_boxes, decode_points, encode_boxes, encode_points

ANCHORS = torch.tensor([[10.0, 20.0, 16.0, 16.0], [50.0, 50.0, 32.0, 32.0]])


def test_a_box_equal_to_its_prior_has_no_offset() -> None:
    assert torch.allclose(encode_boxes(corners(ANCHORS), ANCHORS), torch.zeros(2, 4), atol=1e-6)


def test_variances_are_those_of_ssd() -> None:
    moved = corners(ANCHORS[:1] + torch.tensor([1.6, 0.0, 0.0, 0.0]))  # a tenth of the prior's side
    assert torch.allclose(encode_boxes(moved, ANCHORS[:1]), torch.tensor([[1.0, 0, 0, 0]]), atol=1e-5)


def test_decoding_inverts_encoding() -> None:
    torch.manual_seed(0)
    boxes = corners(torch.cat([torch.rand(2, 2) * 60, 5 + torch.rand(2, 2) * 60], dim=1))
    assert torch.allclose(decode_boxes(encode_boxes(boxes, ANCHORS), ANCHORS), boxes, atol=1e-4)
    points = torch.rand(2, 5, 2) * 60
    assert torch.allclose(decode_points(encode_points(points, ANCHORS), ANCHORS), points, atol=1e-4)


def test_absurd_sizes_stay_finite() -> None:
    assert decode_boxes(torch.full((2, 4), 1e6), ANCHORS).isfinite().all()
