"""Confidence of a face from that of its points, and whether a network could place the points on it."""

from collections.abc import Sequence

import numpy as np

from distill.errors import ConfigError
from distill.inference.backend import Confidence

# On 300-W training faces this keeps 99 % of the faces whose points are placed well, and marks 91 to 98 % of those whose
# points are off by a tenth of the crop and 99.6 % of crops without a face (results/studies/confidence.json).
MIN_CONFIDENCE = 0.55


def face_confidence(points: Confidence | Sequence[float]) -> float:
    """Return the confidence of a face: the mean over its points (k,)."""
    return float(np.mean(points))


def is_placed(points: Confidence | None, least: float) -> bool | None:
    """Return whether the points (k,) of a face reach a confidence; None where the model gives none."""
    return None if points is None else face_confidence(points) >= least


def require_share(option: str, value: float) -> float:
    """Return a confidence unchanged.

    Raises:
        ConfigError: it is not in [0, 1].
    """
    if not 0 <= value <= 1:
        raise ConfigError(f"{option} {value:g} is no confidence; give a number from 0 to 1")
    return value
