"""Decoding of made-up outputs: exact boxes, scores and points of one cell."""

import numpy as np
import pytest

from distill.detection.third_party.decoding import cell_corners, decode_scrfd, decode_ultraface, decode_yunet
from tests.support.third_party_files import POINTS

WIDTH, HEIGHT = 64, 32
CELLS = {8: 32, 16: 8, 32: 2}


def test_cells_are_counted_by_row_column_and_anchor() -> None:
    corners = cell_corners(WIDTH, HEIGHT, 16, 2)
    assert corners[:4].tolist() == [[0, 0], [0, 0], [16, 0], [16, 0]]
    assert corners[-1].tolist() == [48, 16]


def yunet(stride: int, cell: int, box: tuple[float, ...], cls: float, obj: float) -> list[np.ndarray]:
    outputs = []
    for each, count in CELLS.items():
        values = [np.zeros((count, channels), np.float32) for channels in (1, 1, 4, 10)]
        if each == stride:
            for array, content in zip(values, (cls, obj, box, POINTS), strict=True):
                array[cell] = content
        outputs += values
    return outputs


def test_yunet() -> None:
    """Cell (3, 1) of stride 16: centre (3.5, 1.25) strides, size 2 x 4 strides, half a pixel to pixel centres."""
    outputs = yunet(16, 7, (0.5, 0.25, np.log(2), np.log(4)), 0.9, 0.4)
    found = decode_yunet(outputs[::-1], WIDTH, HEIGHT, 0.5)
    np.testing.assert_allclose(found.boxes, [[40 - 0.5, -12 - 0.5, 72 - 0.5, 52 - 0.5]], atol=1e-5)
    assert found.scores == pytest.approx([0.6])
    np.testing.assert_allclose(found.points[0, 0], [48 + 3.2 - 0.5, 16 + 4.8 - 0.5], atol=1e-5)
    np.testing.assert_allclose(found.points[0, 4], [48 + 11.2 - 0.5, 16 + 12.8 - 0.5], atol=1e-5)
    assert len(decode_yunet(outputs, WIDTH, HEIGHT, 0.61).boxes) == 0


def test_yunet_scores_and_sizes_are_limited() -> None:
    """Quantized files return values slightly outside [0, 1]; damaged ones sizes that overflow."""
    found = decode_yunet(yunet(8, 0, (0, 0, 1e4, 0), 1.5, 1.1), WIDTH, HEIGHT, 0.5)
    assert found.scores.tolist() == [1]
    assert np.isfinite(found.boxes).all()
    assert len(decode_yunet(yunet(8, 0, (0, 0, 0, 0), -0.1, -0.1), WIDTH, HEIGHT, 0.01).boxes) == 0


def scrfd(points: bool) -> list[np.ndarray]:
    """Outputs with one face: the second anchor of cell (2, 1) of stride 8."""
    outputs = [np.zeros((2 * count, channels), np.float32) for channels in (1, 4, 10) for count in CELLS.values()]
    index = 2 * (8 + 2) + 1
    outputs[0][index], outputs[3][index], outputs[6][index] = 0.75, (1, 2, 3, 4), POINTS
    return outputs if points else outputs[:6]


def test_scrfd() -> None:
    found = decode_scrfd(scrfd(True), WIDTH, HEIGHT, 0.5)
    np.testing.assert_allclose(found.boxes, [[8 - 0.5, -8 - 0.5, 40 - 0.5, 40 - 0.5]])
    assert found.scores.tolist() == [0.75]
    np.testing.assert_allclose(found.points[0, 2], [16 + 4 - 0.5, 8 + 4 - 0.5])
    without = decode_scrfd(scrfd(False), WIDTH, HEIGHT, 0.5)
    np.testing.assert_array_equal(without.boxes, found.boxes)
    assert without.points.shape == (1, 0, 2)


def test_ultraface() -> None:
    scores, boxes = np.zeros((4420, 2), np.float32), np.zeros((4420, 4), np.float32)
    scores[:, 0], scores[7], boxes[7] = 1, (0.25, 0.75), (0.25, 0.5, 0.5, 1)
    found = decode_ultraface([boxes, scores], 320, 240, 0.7)
    np.testing.assert_allclose(found.boxes, [[79.5, 119.5, 159.5, 239.5]])
    assert found.scores.tolist() == [0.75]
    assert found.points.shape == (1, 0, 2)
