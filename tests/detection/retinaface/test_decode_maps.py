"""Decoding in numpy equals that of PyTorch, whatever the order of a file's outputs."""

import numpy as np
import pytest
import torch

from distill.detection.retinaface.anchors import AnchorConfig
from distill.detection.retinaface.decode import DecodeConfig, decode
from distill.detection.retinaface.decode_maps import Candidates, candidates_of, concatenate, decode_maps
from distill.detection.retinaface.net import RawDetections
from distill.errors import CheckpointError

WIDTH, HEIGHT = 96, 64


def made_maps() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = [(HEIGHT // stride, WIDTH // stride) for stride in AnchorConfig().strides]
    return [rng.normal(size=(1, *shape, 3 * values)).astype(np.float32) for shape in shapes for values in (1, 4, 10)]


def test_equal_to_torch() -> None:
    maps = made_maps()
    parts = [
        torch.cat([torch.from_numpy(m).reshape(1, -1, values) for m in maps[index::3]], dim=1)
        for index, values in enumerate((1, 4, 10))
    ]
    raw = RawDetections(parts[0][..., 0], parts[1], parts[2])
    config = DecodeConfig(min_score=0.6, iou=1.0, candidates=10**6)
    (expected,) = decode(raw, AnchorConfig(), WIDTH, HEIGHT, config)
    shuffled = [maps[index] for index in np.random.default_rng(1).permutation(len(maps))]
    found = decode_maps(shuffled, AnchorConfig(), WIDTH, HEIGHT, 0.6)
    order = np.argsort(-found.scores, kind="stable")
    assert len(order) == len(expected.scores) > 20
    np.testing.assert_allclose(found.scores[order], expected.scores, atol=1e-6)
    np.testing.assert_allclose(found.boxes[order], expected.boxes, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.points[order], expected.points, rtol=1e-4, atol=1e-3)


def test_decoded_outputs_are_told_from_maps_in_any_order() -> None:
    scores = np.array([0.2, 0.9, 0.5], np.float32)
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    points = np.arange(30, dtype=np.float32).reshape(3, 5, 2)
    found = candidates_of([points, boxes, scores], AnchorConfig(), WIDTH, HEIGHT, 0.5)
    for given, values in zip(found, (boxes, scores, points), strict=True):
        np.testing.assert_array_equal(given, values[1:])
    expected = decode_maps(made_maps(), AnchorConfig(), WIDTH, HEIGHT, 0.6)
    np.testing.assert_array_equal(candidates_of(made_maps(), AnchorConfig(), WIDTH, HEIGHT, 0.6).boxes, expected.boxes)
    with pytest.raises(CheckpointError, match="export it again"):
        candidates_of([boxes, scores], AnchorConfig(), WIDTH, HEIGHT, 0.5)


def test_scores_of_zero_and_one_are_thresholds() -> None:
    maps = made_maps()
    assert len(decode_maps(maps, AnchorConfig(), WIDTH, HEIGHT, 0.0).scores) == sum(m.size for m in maps[::3])
    assert len(decode_maps(maps, AnchorConfig(), WIDTH, HEIGHT, 1.0).scores) == 0


def test_outputs_of_another_network_are_refused() -> None:
    with pytest.raises(CheckpointError, match="which its anchors do not fit"):
        decode_maps(made_maps()[:-1], AnchorConfig(), WIDTH, HEIGHT, 0.5)


def test_views_are_joined() -> None:
    part = Candidates(np.ones((2, 4)), np.ones(2), np.ones((2, 5, 2)))
    assert [len(values) for values in concatenate([part, part])] == [4, 4, 4]
