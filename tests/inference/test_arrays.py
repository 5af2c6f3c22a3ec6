"""Arrays of any usual kind are the same photo; others are refused in one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.errors import ImageError
from distill.inference.arrays import as_photo

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "bgr"),
    [
        (PHOTO, False),
        (PHOTO[:, :, ::-1], True),
        (PHOTO.astype(np.uint16) * 257, False),
        (PHOTO.astype(">u2") * 257, False),
        (PHOTO.astype(np.float32) / 255, False),
        (np.dstack([PHOTO, PHOTO[:, :, :1]]), False),
        (Image.fromarray(PHOTO), False),
    ],
    ids=["rgb", "bgr", "16 bit", "16 bit big-endian", "float", "alpha", "Pillow"],
)
def test_every_kind_is_the_same_photo(image: object, bgr: bool) -> None:
    np.testing.assert_array_equal(as_photo(image, bgr), PHOTO)


def test_grey_masks_and_files(tmp_path: Path) -> None:
    grey = PHOTO[:, :, 0]
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    for image in (grey, grey[:, :, None], Image.fromarray(grey)):
        np.testing.assert_array_equal(as_photo(image), expected)
    assert as_photo(grey > 128).max() == 255
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    np.testing.assert_array_equal(as_photo(tmp_path / "photo.png"), PHOTO)


DEEP = np.arange(0, 60_000, 100, np.uint16).reshape(20, 30)


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(DEEP),
        Image.frombytes("I;16B", (30, 20), DEEP.astype(">u2").tobytes()),
        Image.fromarray(DEEP.astype(np.int32)),
        Image.fromarray(np.dstack([PHOTO, PHOTO[:, :, 0]])),
    ],
    ids=lambda image: image.mode,
)
def test_pillow_images_are_converted_as_their_files(tmp_path: Path, image: Image.Image) -> None:
    """16 bits were clipped to white, and transparent pixels kept their hidden colour."""
    image.save(tmp_path / "image.tiff")
    np.testing.assert_array_equal(as_photo(image), as_photo(tmp_path / "image.tiff"))
    if image.mode != "RGBA":
        np.testing.assert_array_equal(as_photo(image)[:, :, 0], DEEP >> 8)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (PHOTO.astype(np.float32), "divide it by 255"),
        (np.full((4, 4, 3), np.nan), r"in \[0, 1\]"),
        (PHOTO.transpose(2, 0, 1), "channels come last"),
        (PHOTO[None], "is no photo"),
        (np.zeros((0, 5, 3), np.uint8), "has no pixels"),
        (PHOTO.astype(np.int64), "int64"),
        (Image.fromarray(np.zeros((4, 4), np.float32)), "floating-point pixels"),
        (None, "NoneType is no image"),
    ],
)
def test_what_is_no_photo_is_refused(image: object, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        as_photo(image)
