"""Image degradation: blur, noise, colour cast, grey, compression."""

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.noise import Floats, noise

Image = NDArray[np.uint8]


def _soften(rng: np.random.Generator, picture: Image) -> Image:
    size = len(picture)
    blur = rng.integers(3)
    if blur == 0:
        return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.8) * size / 256)
    if blur == 1:
        length = max(2, round(rng.uniform(3, 9) * size / 256))
        angle = rng.uniform(0, np.pi)
        kernel = np.zeros((length * 2 + 1,) * 2, np.uint8)
        arm = np.array([np.cos(angle), np.sin(angle)]) * length / 2
        ends = np.round((length + np.stack([-arm, arm])) * 16).astype(int)
        cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 255, 1, cv2.LINE_AA, 4)
        return cv2.filter2D(picture, -1, kernel.astype(np.float32) / kernel.sum())
    small = round(size * rng.uniform(0.3, 0.7))
    less = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(less, (size, size), interpolation=cv2.INTER_LINEAR)


def _sensor_noise(rng: np.random.Generator, picture: Image) -> Image:
    strength = rng.uniform(1, 10) * rng.uniform(0.6, 1.0, 3)
    grey = noise(rng, picture.shape[0], picture.shape[1], (0.0, 0.6)[int(rng.integers(2))])
    return cv2.add(picture, cv2.merge([grey * np.float32(s) for s in strength]), dtype=cv2.CV_8U)


def degrade(rng: np.random.Generator, picture: Floats, difficulty: float) -> Image:
    """Turn a float picture (size, size, 3) in 0-255 into what a camera would have stored, uint8."""
    gain = np.exp(rng.normal(0, 0.12 * difficulty)) * (1 + rng.normal(0, 0.05 * difficulty, 3))
    mixing = np.diag(gain)
    if rng.uniform() < 0.07 * difficulty:
        mixing = np.tile(np.array([0.299, 0.587, 0.114]) * gain, (3, 1))
    stored = np.clip(cv2.transform(picture, mixing), 0, 255).astype(np.uint8)
    if rng.uniform() < 0.35 * difficulty:
        stored = _soften(rng, stored)
    if rng.uniform() < 0.5 * difficulty:
        stored = _sensor_noise(rng, stored)
    if rng.uniform() < 0.3 * difficulty:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 75))]
        stored = cv2.imdecode(cv2.imencode(".jpg", stored, quality)[1], cv2.IMREAD_COLOR)
    return stored
