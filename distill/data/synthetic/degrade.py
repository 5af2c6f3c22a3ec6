"""What a camera does to a picture: blur, noise, colour cast, grey, compression."""

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.noise import Floats, noise


def _soften(rng: np.random.Generator, picture: Floats) -> Floats:
    size = len(picture)
    kind = rng.integers(3)
    if kind == 0:
        return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.8) * size / 256)
    if kind == 1:
        length = max(2, round(rng.uniform(3, 9) * size / 256))
        turn = rng.uniform(0, np.pi)
        kernel = np.zeros((length * 2 + 1,) * 2, np.uint8)
        arm = np.array([np.cos(turn), np.sin(turn)]) * length / 2
        ends = np.round((length + np.stack([-arm, arm])) * 16).astype(int)
        cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 255, 1, cv2.LINE_AA, 4)
        return cv2.filter2D(picture, -1, kernel.astype(np.float32) / kernel.sum())
    small = round(size * rng.uniform(0.3, 0.7))
    less = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(less, (size, size), interpolation=cv2.INTER_LINEAR)


def degrade(rng: np.random.Generator, picture: Floats, difficulty: float) -> NDArray[np.uint8]:
    """Turn a float picture (size, size, 3) in 0-255 into what a camera would have stored, uint8."""
    size = len(picture)
    cast = rng.normal(0, 0.05 * difficulty, 3)
    exposure = np.exp(rng.normal(0, 0.12 * difficulty))
    picture = picture * (exposure * (1 + cast)).astype(np.float32)
    if rng.uniform() < 0.07 * difficulty:
        picture = np.repeat((picture @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], 3, 2)
    if rng.uniform() < 0.35 * difficulty:
        picture = _soften(rng, picture)
    if rng.uniform() < 0.5 * difficulty and size <= 768:
        grain = noise(rng, size, size, float(rng.choice([0.0, 0.6])))[..., None]
        picture = picture + np.float32(rng.uniform(1, 10)) * grain * rng.uniform(0.6, 1.0, 3).astype(np.float32)
    stored = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.uniform() < 0.3 * difficulty:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 75))]
        stored = cv2.imdecode(cv2.imencode(".jpg", stored, quality)[1], cv2.IMREAD_COLOR)
    return stored
