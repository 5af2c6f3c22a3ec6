"""Sensor noise (albumentations transform): Gaussian luminance noise, three times as fast as A.GaussNoise."""

from typing import Any

import albumentations as A
import cv2
import numpy as np

from distill.images import Photo


class SensorNoise(A.ImageOnlyTransform):
    """Add the same Gaussian noise to all channels of each pixel.

    Args:
        std_range: its standard deviation is drawn from this range, in shares of white.
        p: probability of being applied.
    """

    def __init__(self, std_range: tuple[float, float], p: float = 0.5) -> None:
        super().__init__(p=p)
        self.std_range = std_range

    def get_params(self) -> dict[str, Any]:
        return {"std": 255 * self.py_random.uniform(*self.std_range)}

    def apply(self, img: Photo, std: float, **_: Any) -> Photo:
        noise = self.random_generator.standard_normal(img.shape[:2], np.float32)
        grey = np.rint(noise * np.float32(std)).astype(np.int16)
        noisy: Photo = cv2.add(img, cv2.merge([grey] * img.shape[2]), dtype=cv2.CV_8U)
        return noisy
