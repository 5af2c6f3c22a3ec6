"""Background of a synthetic face: gradients, noise, blurred shapes, stripes."""

import cv2
import numpy as np

from distill.data.synthetic.curves import draw
from distill.data.synthetic.noise import Floats, noise, patches


def _colours(rng: np.random.Generator, count: int) -> np.ndarray:
    value = rng.uniform(15, 240, (count, 1))
    return np.clip(value + rng.normal(0, (6, 30)[int(rng.integers(2))], (count, 3)), 0, 255)


def _gradient(rng: np.random.Generator, size: int) -> Floats:
    corners = _colours(rng, 4).reshape(2, 2, 3).astype(np.float32)
    return cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR)


def _scene(rng: np.random.Generator, size: int) -> Floats:
    """Rectangles, lines and discs, out of focus."""
    small = max(32, size // 2)
    picture = np.ascontiguousarray(cv2.resize(_gradient(rng, small), (small, small)).astype(np.uint8))
    for colour in _colours(rng, int(rng.integers(5, 16))):
        a, b = rng.integers(-small // 4, small * 5 // 4, 2), rng.integers(-small // 4, small * 5 // 4, 2)
        style = rng.integers(4)
        shade = colour.tolist()
        if style == 0:
            cv2.rectangle(picture, a.tolist(), b.tolist(), shade, -1)
        elif style == 1:
            cv2.circle(picture, a.tolist(), int(rng.integers(4, small // 4)), shade, -1)
        elif style == 2:
            cv2.line(picture, a.tolist(), b.tolist(), shade, int(rng.integers(2, small // 8)))
        else:
            cv2.fillPoly(picture, [rng.integers(0, small, (3, 2)).astype(np.int32)], shade)
    blur = float(rng.uniform(0.6, small / 30))
    return cv2.resize(cv2.GaussianBlur(picture, (0, 0), blur), (size, size)).astype(np.float32)


def _texture(rng: np.random.Generator, size: int) -> Floats:
    first, second = _colours(rng, 2)
    grey = noise(rng, size, size, (1.0, 3.0, 8.0)[int(rng.integers(3))], (1.0, 3.0, 8.0, 20.0)[int(rng.integers(4))])
    share = np.clip(0.5 + 0.3 * grey, 0, 1)[..., None]
    return (first + share * (second - first)).astype(np.float32)


def paint_backdrop(rng: np.random.Generator, size: int) -> Floats:
    """Return (size, size, 3) float32 RGB in 0-255."""
    style = draw(rng, (0.15, 0.25, 0.45, 0.15))
    if style == 0:
        picture = _gradient(rng, size)
    elif style == 1:
        picture = patches(rng, size, size, int(rng.integers(3, 10)), 3)
        picture = _colours(rng, 1).astype(np.float32) * (0.45 + picture)
    elif style == 2:
        picture = _scene(rng, size)
    else:
        picture = _texture(rng, size)
    return np.clip(picture * np.float32(rng.uniform(0.55, 1.0)), 0, 255)
