"""Data augmentation: a similarity transform for geometry, albumentations for pixels.

Points and pixels move by the very same affine, and a mirrored face permutes its points by the scheme. The pixel
transforms do not move anything, so they do not need the points.
"""

import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError
from distill.geometry import Affine, Box, CropSpec, Points, similarity
from distill.images import Photo
from distill.landmarks import Scheme

if TYPE_CHECKING:
    import albumentations as A


@dataclass(frozen=True)
class AugmentConfig:
    """How strongly training faces are changed. Scale and shift also stand for the errors of a face detector.

    Attributes:
        rotate: standard deviation of the rotation in degrees; it is cut off at twice that.
        scale: the crop's side is multiplied or divided by up to 1 + scale.
        shift: standard deviation of the crop's shift in sides, cut off at twice that.
        flip: probability of mirroring the face.
        occlusion: probability of covering part of the face with one to three rectangles.
        pixels: multiplies the probability of each change of light, colour, sharpness …; 0: none.
    """

    rotate: float = 12.0
    scale: float = 0.12
    shift: float = 0.025
    flip: float = 0.5
    occlusion: float = 0.2
    pixels: float = 0.7

    def __post_init__(self) -> None:
        limits = {"rotate": 180.0, "scale": 10.0, "shift": 1.0, "flip": 1.0, "occlusion": 1.0, "pixels": 2.0}
        for name, limit in limits.items():
            if not 0 <= getattr(self, name) <= limit:
                raise ConfigError(f"augmentation {name}={getattr(self, name)} is not between 0 and {limit:g}")

    @classmethod
    def none(cls) -> "AugmentConfig":
        """Return the configuration that changes nothing."""
        return cls(rotate=0.0, scale=0.0, shift=0.0, flip=0.0, occlusion=0.0, pixels=0.0)


def sample_affine(box: Box, crop: CropSpec, config: AugmentConfig, rng: np.random.Generator) -> tuple[Affine, bool]:
    """Draw the 2x3 affine from photo to crop pixels, and whether it mirrors the face.

    It always takes the same number of draws, so that changing one option leaves the others' outcomes as they were.
    """
    rotation, right, down = np.clip(rng.standard_normal(3), -2, 2)
    zoom = rng.uniform(-1, 1)
    flip_draw = rng.random()
    side, x, y = crop.side_and_centre(box)
    x, y = x + config.shift * right * side, y + config.shift * down * side
    flip = bool(flip_draw < config.flip)
    return similarity(side * (1 + config.scale) ** zoom, x, y, crop.size, config.rotate * rotation, flip), flip


def flip_points(points: Points, visible: NDArray[np.bool_], scheme: Scheme) -> tuple[Points, NDArray[np.bool_]]:
    """Reorder the points (k, 2) and flags (k, ...) of a face whose coordinates are mirrored already."""
    order = list(scheme.flip)
    return points[order], visible[order]


def _coarsen(image: Photo, factor: float, **_: Any) -> Photo:
    """Downscale and upscale without a shift; albumentations' Downscale shifts by up to 0.8 pixels to one side."""
    height, width = image.shape[:2]
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def pixel_pipeline(config: AugmentConfig) -> "A.Compose | None":
    """Return the pixel transforms, or None where there are none.

    None of them moves a point, which a test checks.
    """
    import albumentations as A  # takes half a second; only training imports it

    from distill.data.sensor_noise import SensorNoise

    p = config.pixels
    light = A.OneOf(
        [
            A.RandomBrightnessContrast(brightness_limit=0.3, contrast_limit=0.3),
            A.RandomGamma(gamma_limit=(60, 160)),
            A.RandomToneCurve(scale=0.2),
        ],
        p=min(1.0, 0.5 * p),
    )
    colour = A.OneOf(
        [
            A.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=30, val_shift_limit=0),
            A.RGBShift(20, 20, 20),
            A.ToGray(),
        ],
        p=min(1.0, 0.3 * p),
    )
    blur = A.OneOf(
        [
            A.GaussianBlur(blur_limit=0, sigma_limit=(0.3, 2.0)),
            # Any other direction, like allow_shifted, smears to one side and moves what it blurs.
            A.MotionBlur(blur_limit=(3, 9), allow_shifted=False, direction_range=(0.0, 0.0)),
            *(A.Lambda(image=partial(_coarsen, factor=factor), name="coarsen", p=0.17) for factor in (1.5, 2.0, 3.0)),
        ],
        p=min(1.0, 0.25 * p),
    )
    noise = SensorNoise((0.01, 0.08), p=min(1.0, 0.15 * p))
    compression = A.ImageCompression(quality_range=(25, 85), p=min(1.0, 0.2 * p))
    cover = A.CoarseDropout(
        num_holes_range=(1, 3),
        hole_height_range=(0.1, 0.35),
        hole_width_range=(0.1, 0.35),
        fill="random_uniform",
        p=config.occlusion,
    )
    # What happens to a face on its way into a file, in that order: light, something in front, lens, sensor, encoder.
    steps = [step for step in (light, colour, cover, blur, noise, compression) if step.p > 0]
    return A.Compose(steps) if steps else None


def change_pixels(image: Photo, pipeline: "A.Compose | None", rng: np.random.Generator) -> Photo:
    """Apply the pixel transforms to a crop (s, s, 3) uint8; what they do depends on `rng` alone."""
    seed = int(rng.integers(2**31))
    if pipeline is None:
        return image
    # One source for all steps: set_random_seed gives each its own of the same seed, so that they all happen or none do.
    pipeline.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return pipeline(image=image)["image"]
