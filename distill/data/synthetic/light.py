"""Lighting: one sun, a soft sky and a weak fill from the other side."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.noise import Floats


@dataclass(frozen=True)
class Light:
    """Directions are unit vectors of view space that point to the light; strengths are factors on colours."""

    sun: NDArray[np.float32]
    sun_colour: NDArray[np.float32]
    sky: NDArray[np.float32]
    gloss: float

    def shade(self, albedo: Floats, normal: Floats, tint: Floats, gloss: Floats) -> Floats:
        """Colours (3, n) of pixels of colours `albedo` (3, n), unit normals (3, n), factors `tint` and `gloss` (n,)."""
        facing = self.sun @ normal
        # Light bleeds a little around the edge of the shadow, as it does in skin.
        direct = np.maximum((facing + 0.18) / 1.18, 0)
        above = 0.82 + 0.18 * normal[1]
        fill = 0.10 * np.maximum((self.sun * np.array([-1, 0.2, 1], np.float32)) @ normal, 0)
        direct = direct * tint
        soft = (above + fill) * tint
        half = self.sun + np.array([0, 0, 1], np.float32)
        half /= max(float(np.linalg.norm(half)), 1e-3)
        # The 24th power by squaring: np.power is slow.
        shine = np.maximum(half @ normal, 0)
        shine = (shine * shine * shine) ** 2
        shine = (shine * shine) ** 2
        shine *= np.float32(56 * self.gloss) * gloss * tint
        sun = self.sun_colour[:, None]
        sky = self.sky[:, None]
        return albedo * (direct * sun + soft * sky) + shine * sun


def draw_light(rng: np.random.Generator, difficulty: float) -> Light:
    """Draw a light; harder faces have harsher ones."""
    hard = difficulty * rng.beta(1.3, 2.0)
    azimuth = np.deg2rad(rng.uniform(-85, 85) * min(1.0, 0.5 + hard))
    height = np.deg2rad(rng.uniform(-15, 60))
    sun = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
    sky = (0.72 - 0.45 * hard) * rng.uniform(0.85, 1.1)
    power = (0.42 + 0.6 * hard) * rng.uniform(0.85, 1.15)
    warm = rng.normal(0, 0.05) * difficulty
    tone = np.array([1 + warm, 1.0, 1 - warm])
    cool = np.array([1 - warm, 1.0, 1 + warm])
    return Light(
        sun.astype(np.float32),
        (power * tone).astype(np.float32),
        (sky * cool).astype(np.float32),
        float(rng.uniform(0.1, 1.0)),
    )
