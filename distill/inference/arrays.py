"""Convert arrays and images of any usual kind to photos: (h, w, 3) uint8 RGB."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError, ImageError
from distill.images import Photo, read_image, rgb_pixels


def as_photo(image: Any, bgr: bool = False) -> Photo:
    """Return a photo (h, w, 3) uint8 RGB.

    Args:
        image: path of an image file, a Pillow image, which is converted as its file is, or an array: grey (h, w) or
            (h, w, 1), colour (h, w, 3) or (h, w, 4), whose fourth channel is ignored; uint8, uint16, bool, or floats
            in [0, 1].
        bgr: the channels of an array are in the order of OpenCV.

    Raises:
        ConfigError: `bgr` for something else than an array.
        ImageError: no pixels, another shape or data type, floats outside [0, 1], or an unreadable file.
    """
    if bgr and not isinstance(image, np.ndarray):
        raise ConfigError("bgr=True is for arrays; the colours of files and Pillow images are known: leave it out")
    if isinstance(image, str | Path):
        return read_image(image)
    if not isinstance(image, np.ndarray):
        return _from_pillow(image)
    return _from_array(image, bgr)


def _from_pillow(image: Any) -> Photo:
    from PIL import Image, ImageOps

    if not isinstance(image, Image.Image):
        raise ImageError(f"{type(image).__name__} is no image; give a path, a Pillow image or a NumPy array")
    try:
        return _from_array(rgb_pixels(ImageOps.exif_transpose(image)), False)
    except (OSError, ValueError) as error:
        raise ImageError(f"unusable Pillow image ({error}); convert it to RGB, or load it again") from error


def _from_array(array: NDArray[Any], bgr: bool) -> Photo:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        hint = "; channels come last" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else ""
        raise ImageError(f"an array of shape {array.shape} is no photo; give (h, w), (h, w, 3) or (h, w, 4){hint}")
    if not array.size:
        raise ImageError(f"an array of shape {array.shape} has no pixels")
    pixels = _to_uint8(array)[:, :, :3]
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, ::-1] if bgr else pixels)


def _to_uint8(array: NDArray[Any]) -> Photo:
    if array.dtype == np.uint8:
        return array
    if array.dtype.newbyteorder("=") == np.uint16:
        return (array >> 8).astype(np.uint8)
    if array.dtype == np.bool_:
        return np.where(array, 255, 0).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.floating):
        raise ImageError(f"an array of {array.dtype} is no photo; give uint8, uint16 or floats in [0, 1]")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):
        raise ImageError(f"floats from {low:.4g} to {high:.4g}; a photo of floats is in [0, 1]: divide it by 255")
    return np.rint(array * 255).astype(np.uint8)
