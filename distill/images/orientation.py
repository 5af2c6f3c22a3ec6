"""Orientation of a photo: the tag of EXIF, XMP or TIFF, and how pixels, sizes and points follow from it.

Viewers show a photo turned as its tag says. Everything in this package is in pixels of the turned photo; `Layout`
also converts to the stored pixels, which some annotation tools work in.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_TAG = 0x0112
_XMP = re.compile(rb"tiff:Orientation(?:=[\"']|>)\s*([1-8])")
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp", "Raw profile type xmp")
_PNG_METADATA = (b"eXIf", b"Raw profile type", b"com.adobe.xmp")
UPRIGHT = 1
_SWAPPED = (5, 6, 7, 8)


class Layout(NamedTuple):
    """How a photo lies in its file.

    Attributes:
        stored: (width, height) of the pixels in the file.
        orientation: EXIF's number, 1 to 8; 1 is upright.
    """

    stored: tuple[int, int]
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the photo as it is shown, and as `read_image` returns it."""
        width, height = self.stored
        return (height, width) if self.orientation in _SWAPPED else (width, height)

    def upright_points(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return points (..., 2), given in stored pixels, in pixels of the photo as it is shown."""
        width, height = self.stored
        x, y = points[..., 0], points[..., 1]
        right, down = width - 1 - x, height - 1 - y
        turned = {
            2: (right, y),
            3: (right, down),
            4: (x, down),
            5: (y, x),
            6: (down, x),
            7: (down, right),
            8: (y, right),
        }
        return np.stack(turned.get(self.orientation, (x, y)), axis=-1)


def orientation_of(image: Image.Image) -> int:
    """Return the orientation of an opened image: EXIF's, else XMP's, else upright.

    EXIF that cannot be parsed does not count: viewers show such photos as they are stored.
    """
    if image.format == "PNG" and not _has_metadata(image):
        return UPRIGHT
    try:
        number = image.getexif().get(_TAG)
    except Exception:  # noqa: BLE001  the parser raises whatever the broken bytes lead it to
        number = None
    if number is None:
        texts = (image.info.get(key) for key in _XMP_KEYS)
        found = (_XMP.search(text.encode() if isinstance(text, str) else text) for text in texts if text)
        number = next((int(match[1]) for match in found if match), None)
    return number if isinstance(number, int) and UPRIGHT <= number <= max(_SWAPPED) else UPRIGHT


def _has_metadata(image: Image.Image) -> bool:
    """Whether a PNG may hold an orientation; Pillow decodes the whole image to find out."""
    stream = getattr(image, "fp", None)
    if stream is None:
        return True
    position = stream.tell()
    stream.seek(0)
    content = stream.read()
    stream.seek(position)
    return any(chunk in content for chunk in _PNG_METADATA)


def upright_pixels(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return stored pixels (h, w, ...) as they are shown."""
    if orientation == UPRIGHT:
        return pixels
    if orientation in _SWAPPED:
        pixels = pixels.swapaxes(0, 1)
    flip_x, flip_y = flipped_axes(orientation)
    if flip_x:
        pixels = pixels[:, ::-1]
    if flip_y:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def flipped_axes(orientation: int) -> tuple[bool, bool]:
    """Return whether x and y of the upright photo run against the stored ones, once the axes are exchanged."""
    return orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
