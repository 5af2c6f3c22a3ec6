"""Scaling and crops of the page have the pixels of Python, so that its networks have the same inputs."""

import numpy as np
import pytest

from distill.detection.retinaface.letterbox import letterbox
from distill.geometry import Box, CropSpec, crop_affine, invert_affine, similarity
from distill.images import warp
from tests.support.node import call, image, pixels


def noise(height: int, width: int) -> np.ndarray:
    """Blocks of three pixels, so that neighbours differ and rounding is seen."""
    rng = np.random.default_rng(height)
    coarse = rng.integers(0, 256, (height // 3 + 1, width // 3 + 1, 3), np.uint8)
    return coarse.repeat(3, 0).repeat(3, 1)[:height, :width].copy()


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(240, 320, 160), (241, 333, 160), (200, 100, 64), (300, 300, 96), (64, 64, 64), (50, 90, 160), (31, 200, 160)],
    ids=["half", "odd", "tall", "not a divisor", "as it is", "enlarged", "flat"],
)
def test_letterbox_has_the_pixels_of_python(height: int, width: int, size: int) -> None:
    photo = noise(height, width)
    found = call("letterbox.js", "letterbox", image(photo), size)
    expected = letterbox(photo, size)
    assert found["scale"] == expected.scale
    assert np.array_equal(pixels(found["image"]), expected.image)


@pytest.mark.parametrize(
    ("side", "x", "y"),
    [(40.3, 60.2, 70.7), (128, 100, 80), (250.5, 150, 10.25), (300, 190, 140), (420, -30, 60)],
    ids=["enlarged", "as it is", "over the edge", "two by two", "outside"],
)
@pytest.mark.parametrize("roll", [0, 40], ids=["upright", "turned"])
def test_a_crop_has_the_pixels_of_python(side: float, x: float, y: float, roll: float) -> None:
    photo, affine = noise(160, 200), similarity(side, x, y, 64, roll)
    found = call("warp.js", "warp", image(photo), affine.ravel().tolist(), 64)
    assert np.array_equal(pixels(found), warp(photo, affine, 64))


@pytest.mark.parametrize("roll", [0, 30, -170])
def test_a_face_box_becomes_the_crop_of_python(roll: float) -> None:
    box, crop = Box(10.5, 20.25, 80, 70), CropSpec(128, 1.25, -0.1)
    given = {"size": crop.size, "scale": crop.scale, "shift_y": crop.shift_y}
    found = call("geometry.js", "cropAffine", list(box), given, roll)
    assert np.allclose(np.reshape(found, (2, 3)), crop_affine(box, crop, roll), rtol=1e-12)
    back = call("geometry.js", "invertAffine", found)
    assert np.allclose(np.reshape(back, (2, 3)), invert_affine(crop_affine(box, crop, roll)), rtol=1e-12)
