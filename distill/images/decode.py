"""Image files to pixels: one place decides size, orientation and wholeness."""

import io
import re
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from distill.errors import ImageError, is_out_of_memory
from distill.images.jpeg import DamagedJpegError, decode_jpeg
from distill.images.orientation import Layout, orientation_of, upright_pixels
from distill.images.warp import Photo

_MAX_PIXELS = 100_000_000
_MAX_BYTES = 512 << 20
# Rows that are converted at once: of a large image no converted copy exists as a whole.
_BAND = 256
# What Pillow and its codecs raise on broken files.
_UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, ArithmeticError, MemoryError, TypeError, LookupError, AttributeError,
    struct.error, zlib.error,
)  # fmt: skip
_HEADER = 200
_JPEG = ("JPEG", "MPO")
# ISO base media files name their format in the `ftyp` box at the start.
_HEIF_BRANDS = re.compile(rb"....ftyp(?:heic|heix|heim|heis|hevc|hevx|mif1|msf1)", re.DOTALL)
_AVIF_BRANDS = re.compile(rb"....ftyp(?:avif|avis)", re.DOTALL)
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_ORIENTATION = 256, 257, 274


def decode_image(data: bytes, name: str) -> Photo:
    """Decode an image file held in memory; `name` is what errors call it.

    Returns:
        (h, w, 3) uint8 RGB, turned as its EXIF, XMP or TIFF orientation says.

    Raises:
        ImageError: empty, not an image, cut short, damaged, or above 100 megapixels.
    """
    return _decoded(_open(io.BytesIO(data), name), data, name)


def decode_unless_large(data: bytes, name: str, least: int) -> Photo | Layout:
    """Decode an image as `decode_image` does; of a JPEG with a side of at least `least` pixels return the layout alone.

    Such a JPEG is decoded by `jpeg_pixels`.

    Raises:
        ImageError: see `decode_image`.
    """
    image = _open(io.BytesIO(data), name)
    large = max(image.size) >= least and image.format in _JPEG and image.mode in ("RGB", "L")
    return _layout(image, name) if large else _decoded(image, data, name)


def _decoded(image: Image.Image, data: bytes, name: str) -> Photo:
    """Return the pixels of a file whose header Pillow has read."""
    try:
        pixels = decode_jpeg(data) if image.format in _JPEG else None
        if pixels is None or image.mode not in ("RGB", "L") or pixels.shape[1::-1] != image.size:
            layout = _layout(image, name)
            stored = rgb_pixels(image)
            tiff = image.format == "TIFF"
            image.close()
            # Pillow itself turns TIFF files when it loads them.
            return stored if tiff else upright_pixels(stored, layout.orientation)
        return upright_pixels(pixels, orientation_of(image))
    except DamagedJpegError as error:
        raise ImageError(f"{name}: damaged image ({error}); copy or download it again") from error
    except _UNREADABLE as error:
        if is_out_of_memory(error):
            width, height = image.size
            raise ImageError(f"{name}: not enough memory for {width}x{height} pixels; make it smaller first") from error
        raise ImageError(f"{name}: broken image ({error}); copy or download it again") from error


def read_image(path: str | Path) -> Photo:
    """Read a photo as (h, w, 3) uint8 RGB, turned as its EXIF, XMP or TIFF orientation says.

    Raises:
        ImageError: missing, empty, not an image, cut short, damaged, or above 100 megapixels.
    """
    return decode_image(read_bytes(path), str(path))


def read_bytes(path: str | Path) -> bytes:
    """Return the content of an image file.

    Raises:
        ImageError: missing, or cannot be read.
    """
    with _opened(Path(path)) as file:
        try:
            return file.read()
        except MemoryError as error:
            raise ImageError(f"{path}: not enough memory to read it; make it smaller first") from error


def jpeg_pixels(data: bytes, layout: Layout, name: str, scale: int) -> Photo | None:
    """Decode a JPEG at 1, 1/2, 1/4 or 1/8 of its size.

    Returns:
        (h, w, 3) uint8 RGB, upright; the stored sides are divided by `scale` and rounded up. None where OpenCV cannot.

    Raises:
        ImageError: cut short or damaged.
    """
    try:
        pixels = decode_jpeg(data, scale)
    except DamagedJpegError as error:
        raise ImageError(f"{name}: damaged image ({error}); copy or download it again") from error
    if pixels is None or pixels.shape[1::-1] != tuple(-(-side // scale) for side in layout.stored):
        return None
    return upright_pixels(pixels, layout.orientation)


def image_layout(path: str | Path) -> Layout:
    """Return the stored size and the orientation of a photo, from its header.

    Raises:
        ImageError: missing, empty, not an image, or above 100 megapixels.
    """
    with _opened(Path(path)) as file:
        return _layout(_open(file, str(path)), str(path))


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) of a photo as `read_image` would give it, from its header.

    Raises:
        ImageError: missing, empty, not an image, or above 100 megapixels.
    """
    return image_layout(path).size


def _layout(image: Image.Image, name: str) -> Layout:
    if image.format != "TIFF":
        return Layout(image.size, orientation_of(image))
    # Whether `size` is turned already depends on the release of Pillow; the tags do not.
    try:
        tags = image.tag_v2  # type: ignore[attr-defined]
        return Layout((int(tags[_TIFF_WIDTH]), int(tags[_TIFF_HEIGHT])), int(tags.get(_TIFF_ORIENTATION, 1)))
    except _UNREADABLE as error:
        raise ImageError(f"{name}: broken TIFF tags ({error!r}); save the photo again") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        # Opening a FIFO would wait without end, and reading a device would not end.
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise ImageError(f"{path}: a pipe or device, not an image; give the path of a file")
        if status.st_size > _MAX_BYTES:
            raise ImageError(f"{path}: {status.st_size} bytes, more than {_MAX_BYTES >> 20} MiB; make it smaller first")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such image; check the path or copy the photo there") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error


def _open(stream: BinaryIO, name: str) -> Image.Image:
    """Read the header; the pixels are not decoded yet."""
    start = stream.read(_HEADER)
    stream.seek(0)
    if _HEIF_BRANDS.match(start):
        _register_heif(name)
    try:
        with warnings.catch_warnings():
            # The limit below gives the same information in one line; broken EXIF is ignored.
            warnings.simplefilter("ignore")
            image = Image.open(stream)
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: {_describe(start)}") from error
    except (*_UNREADABLE, Image.DecompressionBombError) as error:
        raise ImageError(f"{name}: unreadable image ({error}); copy or download it again") from error
    if image.width * image.height > _MAX_PIXELS:
        size = f"{image.width}x{image.height}"
        raise ImageError(f"{name}: {size} pixels, more than {_MAX_PIXELS // 10**6} million; make it smaller first")
    return image


def _register_heif(name: str) -> None:
    """Let Pillow read HEIC and HEIF, the format of iPhones.

    Raises:
        ImageError: the package that decodes them is not installed.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise ImageError(
            f"{name}: a HEIC photo; run `pip install pillow-heif` (the extra `heic`), or convert it to JPEG"
        ) from error
    pillow_heif.register_heif_opener()


def _describe(start: bytes) -> str:
    """Describe a file that is not an image, from its first bytes, and what to do about it."""
    if not start:
        return "the file is empty (0 bytes); copy or download it again"
    if start.lstrip().startswith(b"<"):
        return "a web page or other text, not an image; copy or download it again"
    if _HEIF_BRANDS.match(start):
        return "a damaged HEIC photo; copy or download it again"
    if _AVIF_BRANDS.match(start):
        return "an AVIF photo, which this release of Pillow cannot read; update it, or convert the photo to JPEG"
    return f"not an image (it starts with {start[:8]!r}); copy or download it again"


def rgb_pixels(image: Image.Image) -> Photo:
    """Return a Pillow image as (h, w, 3) uint8 RGB: 16 bits are scaled, and what is transparent becomes white.

    Raises:
        OSError, ValueError: broken, or pixels of floats.
    """
    image.load()
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _BAND):
        bottom = min(top + _BAND, height)
        pixels[top:bottom] = np.asarray(_to_rgb(image.crop((0, top, width, bottom))))
    return pixels


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode -> RGB; 16 bits are scaled, not clipped."""
    if image.mode.startswith("I"):
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return Image.fromarray((deep >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels; save it with 8 bits per channel")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")
