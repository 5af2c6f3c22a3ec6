"""Image decoding and crop extraction: truncated files are refused, crops are anti-aliased. Uses no torch."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from distill.errors import ImageError
from distill.geometry import Affine, invert_affine

Photo = NDArray[np.uint8]

_MAX_PIXELS = 100_000_000
# What Pillow and its codecs raise on broken files.
_UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, ArithmeticError, MemoryError, TypeError, LookupError, AttributeError,
    struct.error, zlib.error,
)  # fmt: skip
_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = b"\xff\xda"
_ORIENTATION = 0x0112


def _open(stream: BinaryIO, name: str) -> Image.Image:
    """Read the header; the pixels are not decoded yet."""
    try:
        with warnings.catch_warnings():
            # The limit below gives the same information in one line.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(stream)
    except UnidentifiedImageError as error:
        stream.seek(0)
        raise ImageError(f"{name}: {_describe(stream.read(200))}; copy or download it again") from error
    except (*_UNREADABLE, Image.DecompressionBombError) as error:
        raise ImageError(f"{name}: unreadable image ({error}); copy or download it again") from error
    if image.width * image.height > _MAX_PIXELS:
        size = f"{image.width}x{image.height}"
        raise ImageError(f"{name}: {size} pixels, more than {_MAX_PIXELS // 10**6} million; make it smaller first")
    return image


def _describe(start: bytes) -> str:
    """Describe a file that is not an image, from its first bytes."""
    if not start:
        return "the file is empty (0 bytes)"
    if start.lstrip().startswith(b"<"):
        return "a web page or other text, not an image"
    return f"not an image (it starts with {start[:8]!r})"


def _decode_whole_jpeg(data: bytes) -> Photo | None:
    """Decode with OpenCV, 2.6 times as fast as Pillow; None where that cannot be trusted.

    OpenCV returns half a picture for half a file. A file is whole when an end marker follows the last start of a scan:
    neither marker can occur inside compressed data.
    """
    if data.rfind(_END_OF_IMAGE) < data.rfind(_START_OF_SCAN):
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode -> RGB: 16 bits are scaled, not clipped, and what is transparent becomes white."""
    if image.mode.startswith("I"):
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return Image.fromarray((deep >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels; save it with 8 bits per channel")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def decode_image(data: bytes, name: str) -> Photo:
    """Decode an image file held in memory; `name` is what errors call it.

    Returns:
        (h, w, 3) uint8 RGB, turned as its EXIF orientation says.

    Raises:
        ImageError: empty, not an image, truncated, or above 100 megapixels.
    """
    image = _open(io.BytesIO(data), name)
    if image.format == "JPEG" and image.mode in ("RGB", "L"):
        pixels = _decode_whole_jpeg(data)
        if pixels is not None:
            return pixels
    try:
        return np.array(_to_rgb(ImageOps.exif_transpose(image)))
    except _UNREADABLE as error:
        raise ImageError(f"{name}: broken image ({error}); copy or download it again") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such image; check the path or copy the photo there") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error


def read_image(path: str | Path) -> Photo:
    """Read a photo as (h, w, 3) uint8 RGB, turned as its EXIF orientation says.

    Raises:
        ImageError: missing, empty, not an image, truncated, or above 100 megapixels.
    """
    with _opened(Path(path)) as file:
        return decode_image(file.read(), str(path))


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) of a photo as `read_image` would give it, from the header alone.

    Raises:
        ImageError: missing, empty, not an image, or above 100 megapixels.
    """
    with _opened(Path(path)) as file:
        image = _open(file, str(path))
        try:
            turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        except _UNREADABLE as error:
            raise ImageError(f"{path}: broken EXIF data ({error}); save the photo again without it") from error
    return (image.height, image.width) if turned else (image.width, image.height)


def _needed(image: Photo, affine: Affine, size: int, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the photo that a crop of `size` pixels covers; at least one pixel."""
    low, high = -0.5, size - 0.5
    corners = np.array([[low, low], [low, high], [high, low], [high, high]])
    inverse = invert_affine(affine)
    covered = corners @ inverse[:, :2].T + inverse[:, 2]
    limits = np.array([image.shape[1], image.shape[0]])
    first = np.clip(np.floor(covered.min(0)) - margin, 0, limits - 1).astype(int)
    last = np.clip(np.ceil(covered.max(0)) + margin + 1, first + 1, limits).astype(int)
    return slice(first[1], last[1]), slice(first[0], last[0])


def warp(image: Photo, affine: Affine, size: int) -> Photo:
    """Cut a square crop out of a photo.

    Bilinear, after averaging whole blocks of pixels when the crop is less than half as large as what it shows, so that
    large faces do not alias. Outside the photo its edge pixels repeat: a constant colour would draw a line that never
    occurs in a face, and reflection would show a second eye or mouth.

    Args:
        image: (h, w, 3) uint8.
        affine: 2x3, photo pixels to crop pixels, as from `geometry.crop_affine`.
        size: side of the crop in pixels.

    Returns:
        (size, size, 3) uint8.
    """
    zoom = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    block = max(1, int(1 / zoom))
    rows, columns = _needed(image, affine, size, margin=2 * block)
    part: NDArray[Any] = image[rows, columns]
    if block > 1:
        # Blocks at the far edge are filled up, because resize would squeeze the grid otherwise.
        below = -part.shape[0] % block
        right = -part.shape[1] % block
        part = cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REPLICATE)
        part = cv2.resize(part, None, fx=1 / block, fy=1 / block, interpolation=cv2.INTER_AREA)
    # The centre of cell j of `part` is photo pixel origin + (j + 0.5) * block - 0.5.
    offset = np.array([columns.start, rows.start]) + (block - 1) / 2
    matrix = np.concatenate([affine[:, :2] * block, affine[:, :2] @ offset[:, None] + affine[:, 2:]], axis=1)
    crop = cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return crop
