"""Decoding never half-succeeds; warping never shifts and never aliases."""

import io
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from distill.errors import ImageError
from distill.geometry import Box, CropSpec, apply_affine, crop_affine, similarity
from distill.images import decode_image, image_size, read_image, warp


def _photo(width: int = 120, height: int = 90) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 2, y * 2, 120 + 60 * np.sin(x / 9)], axis=-1).astype(np.uint8)


def _encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _blob(x: float, y: float, width: int, height: int, sigma: float) -> NDArray[np.uint8]:
    across = np.exp(-((np.arange(width) - x) ** 2) / (2 * sigma**2))
    down = np.exp(-((np.arange(height) - y) ** 2) / (2 * sigma**2))
    return np.repeat((np.outer(down, across) * 255).round().astype(np.uint8)[..., None], 3, axis=2)


def _centroid(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    weight = image[..., 0].astype(np.float64)
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def test_jpeg_is_read_as_rgb_like_pillow_reads_it(tmp_path: Path) -> None:
    # Catches swapped channels and a fast decoder that differs from the slow one.
    path = tmp_path / "a.jpg"
    path.write_bytes(_encoded(Image.fromarray(_photo()), quality=95))
    slow = np.asarray(Image.open(path)).astype(int)
    assert np.abs(read_image(path).astype(int) - slow).max() <= 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "CMYK", "LA", "I;16"])
def test_every_mode_becomes_rgb(mode: str, kind: str) -> None:
    image = Image.fromarray(_photo())
    if mode == "I;16":
        if kind not in ("PNG", "TIFF"):
            pytest.skip(f"{kind} has no 16 bits")
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) << 8)
    else:
        image = image.convert(mode)
    try:
        data = _encoded(image, kind)
    except (OSError, ValueError, KeyError):
        pytest.skip(f"{kind} cannot hold {mode}")
    pixels = decode_image(data, "a")
    assert pixels.shape == (90, 120, 3)
    assert pixels.dtype == np.uint8
    wanted = np.asarray(Image.fromarray(_photo()).convert("L" if mode in ("L", "LA", "I;16") else "RGB").convert("RGB"))
    if mode not in ("P", "1"):
        assert np.abs(pixels.astype(int) - wanted).mean() < 4


def test_transparent_pixels_become_white() -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    assert (decode_image(_encoded(Image.fromarray(rgba), "PNG"), "a") == 255).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_the_size_agrees(tmp_path: Path, orientation: int, kind: str) -> None:
    # Catches a decoder path without EXIF, and a size taken before turning: both misplace every landmark.
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.img"
    path.write_bytes(_encoded(Image.fromarray(_photo()), kind, exif=exif.tobytes()))
    photo = read_image(path)
    assert image_size(path) == (photo.shape[1], photo.shape[0])
    assert photo.shape[:2] == ((120, 90) if orientation >= 5 else (90, 120))
    unturned = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    # Where the stored first pixel lies after turning.
    assert np.abs(photo[unturned[orientation]].astype(int) - _photo()[0, 0]).max() < 16


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_truncated_files_never_give_half_a_picture(kind: str, progressive: bool) -> None:
    # OpenCV alone returns a picture with a grey lower half.
    exif = Image.Exif()
    exif[0x010E] = "\xff\xd9 an end marker in the header"
    options = {"exif": exif.tobytes(), "progressive": progressive} if kind == "JPEG" else {}
    data = _encoded(Image.fromarray(_photo()), kind, **options)
    whole, refused = decode_image(data, "a"), 0
    for length in range(0, len(data), max(1, len(data) // 150)):
        try:
            assert np.abs(decode_image(data[:length], "a").astype(int) - whole).max() <= 3
        except ImageError:
            refused += 1
    assert refused > 140


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_flipped_bytes_raise_nothing_but_image_error() -> None:
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
        data = np.frombuffer(_encoded(Image.fromarray(_photo(40, 30)), kind), np.uint8)
        for _ in range(80):
            broken = data.copy()
            broken[rng.integers(0, min(len(broken), 400), rng.integers(1, 8))] = rng.integers(0, 256)
            with suppress(ImageError):
                assert decode_image(broken.tobytes(), "a").ndim == 3


def test_a_whole_jpeg_with_something_behind_it_is_read() -> None:
    data = _encoded(Image.fromarray(_photo()))
    assert (decode_image(data + b"appended by a phone", "a") == decode_image(data, "a")).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"version https://git-lfs", "not an image"),
        (b"\xff\xd8\xff\xe0", "a.jpg"),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "again" in str(caught.value)


def test_missing_and_unreadable_paths(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such image"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path)


@pytest.mark.parametrize(("width", "message"), [(12000, "12000x10000"), (20000, "200000000 pixels")])
def test_huge_images_are_refused_before_decoding(width: int, message: str) -> None:
    data = _encoded(Image.new("1", (width, 10000)), "PNG")
    with pytest.raises(ImageError, match=message):
        decode_image(data, "a")


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
