"""Crops never shift and never alias."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from distill.geometry import Box, CropSpec, apply_affine, crop_affine, similarity
from distill.images import warp
from distill.images.warp import resize_to


def _photo(width: int = 120, height: int = 90) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 2, y * 2, 120 + 60 * np.sin(x / 9)], axis=-1).astype(np.uint8)


def _blob(x: float, y: float, width: int, height: int, sigma: float) -> NDArray[np.uint8]:
    across = np.exp(-((np.arange(width) - x) ** 2) / (2 * sigma**2))
    down = np.exp(-((np.arange(height) - y) ** 2) / (2 * sigma**2))
    return np.repeat((np.outer(down, across) * 255).round().astype(np.uint8)[..., None], 3, axis=2)


def _centroid(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    weight = image[..., 0].astype(np.float64)
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("side", [20.0, 60.0, 128.0, 200.0, 257.0, 420.0, 900.0])
def test_a_blob_stays_on_its_point_at_every_zoom(side: float) -> None:
    # Catches half-pixel shifts by the reduction before the warp.
    rng = np.random.default_rng(int(side))
    zoom, worst = 64 / side, 0.0
    for _ in range(40):
        point = np.array([450.0, 300.0]) + rng.uniform(-0.15, 0.15, 2) * side
        affine = similarity(
            side, 450 + rng.uniform(-3, 3), 300 + rng.uniform(-3, 3), 64, rng.uniform(-180, 180), rng.random() < 0.5
        )
        crop = warp(_blob(*point, 903, 601, max(2.5 / zoom, 1.5)), affine, 64)
        worst = max(worst, np.abs(_centroid(crop) - apply_affine(affine, point)).max())
    assert worst <= 0.1


@pytest.mark.parametrize("longer", [902, 640, 451, 400, 320, 160, 97])
def test_a_blob_stays_on_its_point_in_a_smaller_photo(longer: int) -> None:
    """Also where the last block of pixels is incomplete and sides are rounded."""
    rng = np.random.default_rng(longer)
    for _ in range(20):
        point = rng.uniform(0.2, 0.8, 2) * (903, 601)
        small, scale = resize_to(_blob(*point, 903, 601, 2.5 * 903 / longer), longer)
        assert small.shape == (round(601 * scale), longer, 3)
        assert np.abs(_centroid(small) - ((point + 0.5) * scale - 0.5)).max() <= 0.1


def test_shrinking_averages_instead_of_picking() -> None:
    # A one-pixel checkerboard is grey from afar; picking pixels would give moire or a flat black or white.
    board = (np.indices((512, 512)).sum(0) % 2 * 255).astype(np.uint8)
    crop = warp(np.repeat(board[..., None], 3, 2), crop_affine(Box(0, 0, 511, 511), CropSpec(50)), 50)
    assert np.abs(crop[3:-3, 3:-3].astype(float) - 127.5).max() < 30


def test_outside_the_photo_its_edge_repeats() -> None:
    photo = np.full((20, 30, 3), (10, 200, 90), np.uint8)
    for box in (Box(-40, -40, 80, 80), Box(500, 500, 520, 520), Box(-3000, -3000, 3000, 3000)):
        assert (warp(photo, crop_affine(box, CropSpec(32)), 32) == photo[0, 0]).all()


def test_a_crop_at_scale_one_copies_pixels() -> None:
    photo = _photo()
    crop = warp(photo, crop_affine(Box(9.5, 19.5, 41.5, 51.5), CropSpec(32)), 32)
    assert (crop == photo[20:52, 10:42]).all()


def test_warp_gives_the_same_as_opencv_on_the_whole_photo() -> None:
    # Cutting the part that matters must not show.
    photo, affine = _photo(), similarity(70, 100, 60, 64, 33, flip=True)
    whole = cv2.warpAffine(photo, affine, (64, 64), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(warp(photo, affine, 64).astype(int) - whole).max() <= 2
