"""Noise tiles made once: windows cut out of them are cheaper than fresh noise for every face."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_SIDE = 768


@lru_cache(maxsize=16)
def _tile(sigma_x: float, sigma_y: float) -> Floats:
    rng = np.random.default_rng(20240)
    white = rng.standard_normal((_SIDE, _SIDE)).astype(np.float32)
    if sigma_x or sigma_y:
        white = cv2.GaussianBlur(
            white, (0, 0), max(sigma_x, 1e-3), sigmaY=max(sigma_y, 1e-3), borderType=cv2.BORDER_REFLECT
        )
    return (white - white.mean()) / white.std()


def noise(rng: np.random.Generator, height: int, width: int, sigma_x: float, sigma_y: float | None = None) -> Floats:
    """A window (height, width) of noise of mean 0 and variance 1, smooth over `sigma` pixels.

    Beyond 768 pixels the tile is mirrored.
    """
    tile = _tile(sigma_x, sigma_x if sigma_y is None else sigma_y)
    if max(height, width) > _SIDE:
        tile = np.pad(tile, ((0, max(0, height - _SIDE)), (0, max(0, width - _SIDE))), mode="symmetric")
    top = rng.integers(0, tile.shape[0] - height + 1)
    left = rng.integers(0, tile.shape[1] - width + 1)
    window = tile[top : top + height, left : left + width]
    return window[:, ::-1] if rng.integers(2) else window


def patches(rng: np.random.Generator, height: int, width: int, cells: int, channels: int = 1) -> Floats:
    """Fresh smooth noise (height, width[, channels]) of uniform values in [0, 1], about `cells` hills across."""
    rows = max(2, round(cells * height / width))
    small = rng.uniform(0, 1, (rows, cells, channels)).astype(np.float32)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
