"""Decoding never half-succeeds, and size, orientation and pixels of a photo agree."""

import io
import os
import re
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from distill.errors import ImageError
from distill.images import decode_image, image_size, read_image
from distill.inference.arrays import as_photo
from scripts.fuzz.forked import run_forked
from tests.support.memory_limit import run_with_memory

ROOT = Path(__file__).resolve().parents[2]


def _photo(width: int = 120, height: int = 90) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 2, y * 2, 120 + 60 * np.sin(x / 9)], axis=-1).astype(np.uint8)


def _encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


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


# What a viewer does to the stored pixels (h, w, 3), from the definition of the tag in EXIF 2.3, section 4.6.4.
_SHOWN = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("kind", ["JPEG", "JPEG with XMP", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_pixel_is_where_a_viewer_shows_it(tmp_path: Path, orientation: int, kind: str) -> None:
    # Half a turn and mirroring leave the size as it is, so that only the pixels show whether they were applied.
    image, exif = Image.fromarray(_photo()), Image.Exif()
    exif[0x0112] = orientation
    if kind == "TIFF":
        data = _encoded(image, kind, tiffinfo={0x0112: orientation})
    elif kind == "JPEG with XMP":
        plain = _encoded(image, quality=95)
        data = plain[:2] + _app1(_XMP_START + b'tiff:Orientation="%d"/>' % orientation) + plain[2:]
    else:
        data = _encoded(image, kind, quality=95, exif=exif.tobytes())
    path = tmp_path / "a.img"
    path.write_bytes(data)
    shown = _SHOWN[orientation](_photo()).astype(int)
    for pixels in (read_image(path), decode_image(data, "a"), as_photo(Image.open(path))):
        assert pixels.shape == shown.shape
        assert np.abs(pixels - shown).mean() < 4
    assert image_size(path) == shown.shape[1::-1]


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


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_size_and_pixels_of_a_tiff_agree(tmp_path: Path, orientation: int) -> None:
    # Pillow turns the size of a TIFF in its header, and its pixels when it loads them.
    path = tmp_path / "a.tif"
    Image.fromarray(_photo()).save(path, tiffinfo={0x112: orientation})
    photo = read_image(path)
    assert image_size(path) == (photo.shape[1], photo.shape[0])
    assert photo.shape[:2] == ((120, 90) if orientation >= 5 else (90, 120))
    corner = {3: (-1, -1), 6: (0, -1), 8: (-1, 0)}[orientation]
    assert (photo[corner] == _photo()[0, 0]).all()


def _app1(payload: bytes) -> bytes:
    return b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload


_EXIF_6 = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + bytes.fromhex("011200030000000100060000") + bytes(4)
_XMP_START = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description "
_XMP_6 = _XMP_START + b'tiff:Orientation="6"/></x:xmpmeta>'
_XMP_ELEMENT = _XMP_START + b"><tiff:Orientation>6</tiff:Orientation></rdf:Description></x:xmpmeta>"
_XMP_OTHER = _XMP_START + b'tiff:Make="phone"/></x:xmpmeta>'


@pytest.mark.parametrize(
    "segments", [(_EXIF_6,), (_XMP_OTHER, _EXIF_6), (_EXIF_6, _XMP_OTHER), (_XMP_6,), (_XMP_ELEMENT,)]
)
def test_orientation_is_found_in_exif_and_xmp_in_any_order(tmp_path: Path, segments: tuple[bytes, ...]) -> None:
    # OpenCV reads EXIF from the first APP1 segment only.
    data = _encoded(Image.fromarray(_photo()), quality=95)
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + b"".join(map(_app1, segments)) + data[2:])
    assert image_size(path) == (90, 120)
    photo = read_image(path)
    assert photo.shape == (120, 90, 3)
    assert np.abs(photo[0, -1].astype(int) - _photo()[0, 0]).max() < 16


def test_exif_decides_where_xmp_differs(tmp_path: Path) -> None:
    data = _encoded(Image.fromarray(_photo()))
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + _app1(_XMP_START + b'tiff:Orientation="3"/>') + _app1(_EXIF_6) + data[2:])
    assert image_size(path) == (90, 120)


def test_broken_exif_leaves_the_photo_as_it_is_stored(tmp_path: Path) -> None:
    data = _encoded(Image.fromarray(_photo()))
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + _app1(b"Exif\0\0no TIFF header at all") + data[2:])
    assert image_size(path) == (120, 90)
    assert read_image(path).shape == (90, 120, 3)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_file_cut_in_half_and_closed_is_refused(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    data = _encoded(Image.fromarray(noise), kind)
    end = {"PNG": bytes.fromhex("0000000049454e44ae426082"), "GIF": b";"}.get(kind, b"")
    with pytest.raises(ImageError, match="again"):
        decode_image(data[: len(data) // 2] + end, "a")


def test_heic_is_named_with_the_package_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "IMG_0001.HEIC"
    for brand in (b"heic", b"mif1"):
        path.write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(400))
        for read in (read_image, image_size):
            with pytest.raises(ImageError, match="a HEIC photo; run `pip install pillow-heif`"):
                read(path)


def test_the_extra_names_the_package_that_reads_heic() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [re.split(r"\W*[<>=]", need)[0] for need in extras["heic"]] == ["pillow-heif"]


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_heic_is_read_where_the_package_is_installed(tmp_path: Path, orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "a.heic"
    exif = Image.Exif()
    exif[0x0112] = orientation
    pillow_heif.from_pillow(Image.fromarray(_photo())).save(path, quality=95, exif=exif.tobytes())
    shown = _SHOWN[orientation](_photo()).astype(int)
    assert image_size(path) == shown.shape[1::-1]
    assert np.abs(read_image(path) - shown).mean() < 4


@pytest.mark.timeout(20)
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    """Opening a pipe waits for a writer, and a device never ends."""
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    for name in ("pipe.jpg", "device.jpg"):
        for reader in (read_image, image_size):
            with pytest.raises(ImageError, match="a pipe or device"):
                reader(tmp_path / name)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "LA", "I;16"])
def test_a_high_image_is_the_same_in_bands(mode: str) -> None:
    """Images are converted some rows at a time."""
    noise = np.random.default_rng(0).integers(0, 256, (700, 9, 4), np.uint8)
    if mode == "I;16":
        image = Image.fromarray((noise[..., 0].astype(np.uint16) << 8) + noise[..., 1])
        expected = np.repeat(noise[..., :1], 3, axis=2)
    else:
        image = Image.fromarray(noise).convert(mode)
        rgba = image.convert("RGBA")
        expected = np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"))
    assert np.array_equal(decode_image(_encoded(image, "PNG"), "a.png"), expected)


def test_a_large_image_takes_little_more_than_its_pixels(tmp_path: Path) -> None:
    """4 bytes a pixel in Pillow and 3 in the result; converted copies of the whole took four times as much."""
    side = 5000
    Image.new("RGB", (side, side), "grey").save(tmp_path / "large.png", compress_level=1)
    idle = run_forked(lambda: None, 60).peak_mb
    outcome = run_forked(lambda: read_image(tmp_path / "large.png").shape, 60)
    assert outcome.kind == "ran"
    assert outcome.peak_mb - idle < 8.5 * side * side / 2**20


def test_a_photo_too_large_for_the_memory_is_not_called_broken(tmp_path: Path) -> None:
    """The advice to copy the photo again does not help; to make it smaller does."""
    path = tmp_path / "large.png"
    Image.new("RGB", (9000, 9000)).save(path, compress_level=1)
    [line] = run_with_memory("distill.images.decode:read_image", [path], 300)
    assert line == f"refused: {path}: not enough memory for 9000x9000 pixels; make it smaller first"
