"""Letterbox: aspect ratio, filling, and the way back to the photo."""

import numpy as np
import pytest

from distill.detection.retinaface.letterbox import FILL, letterbox, to_photo


@pytest.mark.parametrize(
    ("size", "square", "shape"), [(320, False, (160, 320)), (320, True, (320, 320)), (640, False, (288, 640))]
)
def test_sides_are_multiples_of_the_stride(size: int, square: bool, shape: tuple[int, int]) -> None:
    photo = np.full((180, 400, 3), 200, np.uint8)
    result = letterbox(photo, size, square)
    assert result.image.shape[:2] == shape
    assert result.scale == size / 400
    inner = round(180 * result.scale)
    assert (result.image[:inner] == 200).all()
    assert (result.image[inner:] == FILL).all()


def test_positions_return_to_the_photo() -> None:
    photo = np.zeros((120, 160, 3), np.uint8)
    photo[40:60, 100:140] = 255
    result = letterbox(photo, 320)
    y, x = np.nonzero(result.image[:240, :, 0] > 127)
    corners = np.array([x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5])
    assert np.allclose(to_photo(corners, result.scale), [99.5, 39.5, 139.5, 59.5], atol=0.5)
