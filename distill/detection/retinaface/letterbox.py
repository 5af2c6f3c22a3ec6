"""Letterbox a photo: scale its longer side, keep the aspect ratio, fill up to multiples of the network's stride."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.detection.retinaface.priors import MULTIPLE
from distill.images import Photo

FILL = 114  # grey, near the mean of photos


class Letterboxed(NamedTuple):
    """A photo as input of the network.

    Attributes:
        image: (h, w, 3) uint8; both sides are multiples of 32.
        scale: pixels of the input per pixel of the photo.
        inner: (width, height) of the part that shows the photo.
    """

    image: Photo
    scale: float
    inner: tuple[int, int]


def letterbox(photo: Photo, size: int, square: bool = False) -> Letterboxed:
    """Scale a photo so that its longer side is `size` pixels; what is filled lies at the right and the bottom.

    Args:
        photo: (h, w, 3) uint8.
        size: longer side of the input, a multiple of 32.
        square: fill up to `size` x `size`, for networks of a fixed input.
    """
    height, width = photo.shape[:2]
    scale = size / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(photo, inner, interpolation=method)
    return _filled(scaled, scale, (size, size) if square else None)


def halved(view: Letterboxed) -> Letterboxed | None:
    """Return the photo at half the size of `view`, as `letterbox` gives it but for a second rounding to 8 bits.

    Means of 2 x 2 of the means that `letterbox` took are those of the photo: they take a tenth of the time.

    Returns:
        None where that does not hold: the photo was enlarged, or a side is odd.
    """
    width, height = view.inner
    if view.scale > 1 or width % 2 or height % 2:
        return None
    half = width // 2, height // 2
    shown = view.image[:height, :width]
    return _filled(cv2.resize(shown, half, interpolation=cv2.INTER_AREA), view.scale / 2, None)


def _filled(scaled: Photo, scale: float, sides: tuple[int, int] | None) -> Letterboxed:
    """Fill up to `sides`, or to multiples of the network's stride."""
    height, width = scaled.shape[:2]
    columns, rows = sides or (-(-side // MULTIPLE) * MULTIPLE for side in (width, height))
    image = np.full((rows, columns, 3), FILL, np.uint8)
    image[:height, :width] = scaled
    return Letterboxed(image, scale, (width, height))


def to_photo(pixels: NDArray[np.floating], scale: float) -> NDArray[np.floating]:
    """Return positions (..., x, y pairs) of the input in pixels of the photo; pixel centres are integers."""
    return (pixels + 0.5) / scale - 0.5
