"""Large JPEG photos, decoded at the scale that is needed: 1/8, 1/4, 1/2 or whole.

The DCT of a JPEG gives averages of 2, 4 or 8 pixels a side for a fraction of the time of decoding all of them. A
detector needs few pixels, and a crop those of one face.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.geometry import Affine, zoom_of
from distill.images.decode import decode_image, decode_unless_large, jpeg_pixels, read_bytes
from distill.images.orientation import Layout, flipped_axes
from distill.images.warp import Photo, resize_to, warp

SCALES = (8, 4, 2, 1)
# Longer side in pixels that is enough for a detector of 320 px, also in tiles of half the photo's longer side.
_LEAST = 960
# Pixels of the decoded photo for each of a crop; tests/inference/test_landmarker.py bounds how far landmarks move from
# those of all pixels, scripts/bench/photos.py measures it.
_OVERSAMPLING = 1.5
_UNCHANGED: Affine = np.eye(2, 3)


class Level(NamedTuple):
    """A photo at one scale.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, upright.
        affine: 2x3, pixels of the whole photo -> pixels of this one.
    """

    pixels: Photo
    affine: Affine

    @property
    def scale(self) -> float:
        """Pixels of this level for one of the whole photo."""
        return float(self.affine[0, 0])

    def to_whole(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return points (..., 2) of this level in pixels of the whole photo."""
        return (points - self.affine[:, 2]) / self.scale

    def reduced(self, longer: int) -> "Level":
        """Return the photo with `longer` pixels on its longer side, as `resize_to`; as it is where it is no larger."""
        if max(self.pixels.shape[:2]) <= longer:
            return self
        pixels, scale = resize_to(self.pixels, longer)
        shift = (self.affine[:, 2:] + 0.5) * scale - 0.5  # pixel centres are integers
        return Level(pixels, np.concatenate([self.affine[:, :2] * scale, shift], axis=1))


class ScaledPhoto:
    """A JPEG in memory with the scales of it that were needed so far; coordinates are those of the whole photo.

    Attributes:
        shape: (h, w, 3) of the whole photo, upright.
    """

    def __init__(self, data: bytes, layout: Layout, name: str) -> None:
        self._data, self._layout, self._name = data, layout, name
        self._levels: dict[int, Level] = {}
        width, height = layout.size
        self.shape = (height, width, 3)

    def coarse(self) -> Level:
        """Return the smallest scale that is enough to detect faces.

        Raises:
            ImageError: damaged.
        """
        return self.level(next(scale for scale in SCALES if scale == 1 or max(self.shape) / scale >= _LEAST))

    def whole(self) -> Photo:
        """Return all pixels, (h, w, 3) uint8 RGB.

        Raises:
            ImageError: damaged.
        """
        return self.level(1).pixels

    def warp(self, affine: Affine, size: int) -> Photo:
        """Cut a square crop out of the smallest scale that holds its detail; arguments as of `images.warp`."""
        across = 1 / zoom_of(affine)
        enough = [scale for scale in SCALES if scale == 1 or across / scale >= _OVERSAMPLING]
        level = self.level(next((scale for scale in enough if scale in self._levels), enough[0]))
        linear = affine[:, :2] / level.scale
        shift = affine[:, 2] - linear @ level.affine[:, 2]
        return warp(level.pixels, np.concatenate([linear, shift[:, None]], axis=1), size)

    def level(self, scale: int) -> Level:
        """Return the photo at 1/`scale` of its size.

        Raises:
            ImageError: damaged.
        """
        if scale not in self._levels:
            pixels = jpeg_pixels(self._data, self._layout, self._name, scale)
            if pixels is None:
                self._levels[scale] = Level(decode_image(self._data, self._name), _UNCHANGED)
            else:
                self._levels[scale] = Level(pixels, self._affine(pixels, scale))
        return self._levels[scale]

    def _affine(self, pixels: Photo, scale: int) -> Affine:
        """Blocks of pixels start at the stored corner: where an axis is flipped, the incomplete block comes first."""
        size, scaled = np.array(self._layout.size), np.array(pixels.shape[1::-1])
        flipped = np.array(flipped_axes(self._layout.orientation))
        start = np.where(flipped, scaled - size / scale, 0.0)
        shift = 0.5 / scale - 0.5 + start
        return np.concatenate([np.eye(2) / scale, shift[:, None]], axis=1)


AnyPhoto = Photo | ScaledPhoto


def read_scaled(path: str | Path) -> AnyPhoto:
    """Read a photo as `read_image` does; of a large JPEG only what is needed is decoded, when it is needed.

    Raises:
        ImageError: see `read_image`; damage of a large JPEG is found when its pixels are needed.
    """
    data = read_bytes(path)
    found = decode_unless_large(data, str(path), 2 * _LEAST)
    return ScaledPhoto(data, found, str(path)) if isinstance(found, Layout) else found


def whole_photo(photo: Any) -> Any:
    """Return all pixels of a photo; anything but a `ScaledPhoto` as it is."""
    return photo.whole() if isinstance(photo, ScaledPhoto) else photo


def coarse_level(photo: AnyPhoto) -> Level:
    """Return the scale of a photo at which faces are searched; of an array, the array itself."""
    if isinstance(photo, ScaledPhoto):
        return photo.coarse()
    return Level(photo, _UNCHANGED)


def warp_photo(photo: AnyPhoto, affine: Affine, size: int) -> Photo:
    """Cut a square crop out of a photo; arguments as of `images.warp`."""
    return photo.warp(affine, size) if isinstance(photo, ScaledPhoto) else warp(photo, affine, size)
