"""Crops of a large JPEG are those of all its pixels, whatever scale was decoded and however the photo lies."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from distill.errors import ImageError
from distill.geometry import similarity
from distill.images import read_image, warp
from distill.images.scaled import ScaledPhoto, coarse_level, read_scaled, warp_photo

WIDTH, HEIGHT = 2003, 2501  # no multiples of 8: the last blocks are incomplete


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Soft blobs, so that a shift of a tenth of a pixel shows and no detail is lost at 1/8."""
    small = np.random.default_rng(0).integers(0, 255, (20, 16, 3)).astype(np.uint8)
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def write(path: Path, pixels: np.ndarray, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, "JPEG", quality=98, subsampling=0, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_scale_and_orientation_gives_the_same_crop(tmp_path: Path, pixels: np.ndarray, orientation: int) -> None:
    """Catches an offset of a mirrored axis, whose incomplete block comes first, and half-pixel shifts of a scale."""
    path = write(tmp_path / "a.jpg", pixels, orientation)
    whole = read_image(path)
    affine = similarity(900.0, 0.45 * whole.shape[1], 0.55 * whole.shape[0], 64)
    expected = warp(whole, affine, 64).astype(int)
    for scale in (8, 4, 2):
        photo = read_scaled(path)
        assert isinstance(photo, ScaledPhoto)
        assert photo.shape == whole.shape
        photo.level(scale)
        assert np.abs(photo.warp(affine, 64) - expected).mean() < 0.6
        corner = photo.level(scale).to_whole(np.array([0.0, 0.0]))
        assert np.abs(corner - (scale - 1) / 2).max() < scale
    moved = warp(whole, affine + np.array([[0, 0, 0.5], [0, 0, 0]]), 64)
    assert np.abs(moved - expected).mean() > 1.0


def test_the_scale_follows_the_crop(tmp_path: Path, pixels: np.ndarray) -> None:
    """A large face needs an eighth of the sides, a small one all pixels."""
    path = write(tmp_path / "a.jpg", pixels)
    for side, scale in ((1600.0, 8), (800.0, 4), (400.0, 2), (150.0, 1)):
        photo = read_scaled(path)
        assert isinstance(photo, ScaledPhoto)
        warp_photo(photo, similarity(side, 1000.0, 1000.0, 128), 128)
        assert list(photo._levels) == [scale]
    coarse = coarse_level(photo)
    assert (coarse.scale, max(coarse.pixels.shape)) == (0.5, 1251)


def test_small_photos_and_other_formats_are_decoded_at_once(tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    write(tmp_path / "small.jpg", pixels[:900, :900])
    for name in ("a.png", "small.jpg"):
        np.testing.assert_array_equal(read_scaled(tmp_path / name), read_image(tmp_path / name))


def test_damage_is_found_at_every_scale(tmp_path: Path, pixels: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    (tmp_path / "torn.jpg").write_bytes(buffer.getvalue()[:-2000])
    photo = read_scaled(tmp_path / "torn.jpg")
    with pytest.raises(ImageError, match="damaged image"):
        coarse_level(photo)
    with pytest.raises(ImageError, match="no such image"):
        read_scaled(tmp_path / "none.jpg")


def test_a_reduced_level_shows_the_same_places(tmp_path: Path, pixels: np.ndarray) -> None:
    """Catches a shift that is not scaled with the photo: half a pixel of a level that was itself decoded at 1/4."""
    path = write(tmp_path / "a.jpg", pixels)
    photo = read_scaled(path)
    assert isinstance(photo, ScaledPhoto)
    for level in (coarse_level(photo), coarse_level(pixels)):
        reduced = level.reduced(320)
        assert max(reduced.pixels.shape) == 320
        at = np.array([[100.0, 200.0], [140.0, 80.0]])
        shown = [reduced.pixels[int(y), int(x)].astype(int) for x, y in at]
        placed = [pixels[round(y), round(x)].astype(int) for x, y in reduced.to_whole(at)]
        assert np.abs(np.array(shown) - placed).max() < 8
        assert np.abs(reduced.to_whole(np.array([-0.5, -0.5])) + 0.5).max() < 0.01


def test_a_level_is_not_enlarged(pixels: np.ndarray) -> None:
    level = coarse_level(pixels)
    assert level.reduced(max(pixels.shape)) is level
