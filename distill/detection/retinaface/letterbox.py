"""Letterbox a photo: scale its longer side, keep the aspect ratio, fill up to multiples of the network's stride."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.detection.retinaface.priors import MULTIPLE
from distill.images import Photo
from distill.images.warp import resize_to

FILL = 114  # grey, near the mean of photos


class Letterboxed(NamedTuple):
    """A photo as input of the network.

    Attributes:
        image: (h, w, 3) uint8; both sides are multiples of 32.
        scale: pixels of the input per pixel of the photo.
    """

    image: Photo
    scale: float


def letterbox(photo: Photo, size: int, square: bool = False) -> Letterboxed:
    """Scale a photo so that its longer side is `size` pixels; what is filled lies at the right and the bottom.

    Args:
        photo: (h, w, 3) uint8.
        size: longer side of the input, a multiple of 32.
        square: fill up to `size` x `size`, for networks of a fixed input.
    """
    scaled, scale = resize_to(photo, size)
    height, width = (size, size) if square else tuple(-(-side // MULTIPLE) * MULTIPLE for side in scaled.shape[:2])
    return Letterboxed(filled(scaled, width, height), scale)


def filled(image: Photo, width: int, height: int) -> Photo:
    """Return an image filled up at the right and the bottom; itself where it has this size, which is the largest."""
    if image.shape[:2] == (height, width):
        return image
    whole = np.full((height, width, 3), FILL, np.uint8)
    whole[: image.shape[0], : image.shape[1]] = image
    return whole


def to_photo(pixels: NDArray[np.floating], scale: float) -> NDArray[np.floating]:
    """Return positions (..., x, y pairs) of the input in pixels of the photo; pixel centres are integers."""
    return (pixels + 0.5) / scale - 0.5
