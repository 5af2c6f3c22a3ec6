"""Texture of a synthetic face: the frontal template as an RGB image, painted in centimetres."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.noise import Floats

Array = NDArray[np.float64]
_LEFT = -8.0
_RIGHT = 8.0
_TOP = 9.0
_BOTTOM = -12.0
_SHIFT = 4


def _planes(colour: NDArray[np.floating] | tuple[float, ...]) -> Floats:
    """A colour (3,) or a picture (3, h, w) as something that multiplies planes."""
    values = np.asarray(colour, np.float32)
    return values[:, None, None] if values.ndim == 1 else values


@dataclass
class Canvas:
    """A texture.

    Attributes:
        pixels: (3, h, w) float32 RGB in 0-255; planes, because numpy is slow where the last axis has length 3.
        density: pixels per cm.
    """

    pixels: Floats
    density: float

    @classmethod
    def blank(cls, density: float) -> "Canvas":
        width, height = round((_RIGHT - _LEFT) * density), round((_TOP - _BOTTOM) * density)
        return cls(np.zeros((3, height, width), np.float32), density)

    def whole(self) -> "Window":
        """All of it; painting on it paints the canvas."""
        return Window(self.pixels, self.density)

    def window(self, x0: float, x1: float, y0: float, y1: float) -> "Window":
        """The part between these template coordinates; painting on it paints the canvas."""
        height, width = self.pixels.shape[1:]
        columns = np.clip(((x0 - _LEFT) * self.density, (x1 - _LEFT) * self.density), 0, width).astype(int)
        rows = np.clip(((_TOP - y1) * self.density, (_TOP - y0) * self.density), 0, height).astype(int)
        part = self.pixels[:, rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
        return Window(part, self.density, int(columns[0]), int(rows[0]))


@dataclass
class Window:
    """A rectangle of a canvas, `left` and `top` pixels from its corner."""

    pixels: Floats
    density: float
    left: int = 0
    top: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[2]

    def empty(self, colour: tuple[float, float, float]) -> "Window":
        """A separate picture of the same area, of one colour."""
        return Window(np.broadcast_to(_planes(colour), self.pixels.shape).copy(), self.density, self.left, self.top)

    def to_pixels(self, points: Array) -> Array:
        """Template points (..., 2) -> pixels of this window."""
        return (points * [1, -1] + [-_LEFT, _TOP]) * self.density - [self.left, self.top]

    def grid(self) -> tuple[Floats, Floats]:
        """Template x (1, w) and y (h, 1) of the window's pixels."""
        height, width = self.shape
        x = (np.arange(width, dtype=np.float32) + self.left) / self.density + np.float32(_LEFT)
        y = np.float32(_TOP) - (np.arange(height, dtype=np.float32) + self.top) / self.density
        return x[None], y[:, None]

    def _fixed(self, points: Array) -> NDArray[np.int32]:
        return np.round(self.to_pixels(points) * (1 << _SHIFT)).astype(np.int32)

    def fill(self, *outlines: Array, blur: float = 0.0) -> Floats:
        """Coverage (h, w) in [0, 1] of closed template outlines, its edge softened over `blur` cm."""
        mask = np.zeros(self.shape, np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [self._fixed(outline)], 255, cv2.LINE_AA, _SHIFT)
        return self.soften(mask, blur)

    def stroke(self, curve: Array, width: float, blur: float = 0.0) -> Floats:
        """Coverage (h, w) of a line `width` cm wide along an open template curve."""
        mask = np.zeros(self.shape, np.uint8)
        self.draw(mask, curve, width, 1.0)
        return self.soften(mask, blur)

    def draw(self, mask: NDArray[np.uint8], curve: Array, width: float, strength: float) -> None:
        """Draw a line into a coverage mask of the window's size, in place."""
        pixels = width * self.density
        thickness = max(1, round(pixels))
        value = round(255 * strength * min(1.0, pixels / thickness))
        cv2.polylines(mask, [self._fixed(curve)], False, value, thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, centre: Array, radius: float | tuple[float, float], blur: float = 0.0) -> Floats:
        """Coverage of an ellipse with these radii in cm."""
        radii = np.broadcast_to(radius, 2)
        angle = np.linspace(0, 2 * np.pi, 25)[:-1]
        return self.fill(centre + np.stack([radii[0] * np.cos(angle), radii[1] * np.sin(angle)], 1), blur=blur)

    def soften(self, mask: NDArray[np.uint8], blur: float) -> Floats:
        """A mask (h, w) of 0-255 as coverage in [0, 1], smoothed over `blur` cm."""
        if blur * self.density > 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), blur * self.density)
        return mask * np.float32(1 / 255)

    def blend(self, mask: Floats, colour: NDArray[np.floating] | tuple[float, ...] | Floats) -> None:
        """Mix a colour, or a picture (3, h, w) of the window's size, into the window."""
        self.pixels += mask * (_planes(colour) - self.pixels)

    def darken(self, mask: Floats, colour: tuple[float, float, float] = (0.55, 0.42, 0.38)) -> None:
        """Multiply by `colour` where the mask is 1: creases and shadows."""
        self.pixels *= 1 - mask * (1 - _planes(colour))


@lru_cache
def coarse_grid(width: int, height: int) -> tuple[Array, Array]:
    """Template coordinates (h, w) of a small picture of the whole canvas, for painting what is soft."""
    x = (np.arange(width) + 0.5) / width * (_RIGHT - _LEFT) + _LEFT
    y = _TOP - (np.arange(height) + 0.5) / height * (_TOP - _BOTTOM)
    across, down = np.meshgrid(x, y)
    return across, down


def lookup(paint: Floats, density: float) -> Floats:
    """Template coordinates (2, n) -> pixels of the canvas (2, n), for sampling it."""
    return np.stack([(paint[0] - np.float32(_LEFT)) * density, (np.float32(_TOP) - paint[1]) * density])
