"""A point follows the pixel it marks, for each of the eight orientations."""

import numpy as np
import pytest

from distill.images.orientation import Layout, upright_pixels


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_stay_on_their_pixels(orientation: int) -> None:
    width, height = 7, 5
    stored = np.arange(width * height, dtype=np.uint8).reshape(height, width)
    layout = Layout((width, height), orientation)
    shown = upright_pixels(stored, orientation)
    assert layout.size == (shown.shape[1], shown.shape[0])
    points = np.array([[x, y] for x in range(width) for y in range(height)], np.float32)
    moved = layout.upright_points(points).astype(int)
    for (x, y), (new_x, new_y) in zip(points.astype(int), moved, strict=True):
        assert shown[new_y, new_x] == stored[y, x]


def test_orientation_six_is_a_quarter_turn_clockwise() -> None:
    # The usual tag of a portrait photo: what is stored at the top left is shown at the top right.
    assert Layout((340, 256), 6).upright_points(np.array([0.0, 0.0])).tolist() == [255.0, 0.0]
