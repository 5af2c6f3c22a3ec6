"""Difference between the outputs of a model in two engines, and whether they are the same network's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Largest difference in shares of the range of an output. Floats of 32 bits differ by the order of the sums; with
# shorter numbers single values may be far off, so that the mean decides.
_EXACT_MAX = 1e-3
_ROUNDED_MEAN = 0.02


@dataclass(frozen=True)
class Parity:
    """Difference of an engine's outputs from those of the model's own engine, on the same random input.

    Attributes:
        max: largest difference, as a share of the range of its output, from the smallest value or 0 to the largest.
        mean: mean difference of the output that differs most, likewise.
    """

    max: float
    mean: float

    def __str__(self) -> str:
        return f"max {self.max:.2g}, mean {self.mean:.2g} of the range"

    def is_same(self, exact: bool) -> bool:
        """Whether the outputs are those of the same network.

        Args:
            exact: both engines compute in 32-bit floats; else the one under test rounds more.
        """
        return self.max <= _EXACT_MAX if exact else self.mean <= _ROUNDED_MEAN


def output_parity(expected: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> Parity | None:
    """Compare outputs in their order; None where they have other shapes or numbers that are not finite."""
    if [array.shape for array in expected] != [array.shape for array in outputs]:
        return None
    shares = [_share(*pair) for pair in zip(expected, outputs, strict=True)]
    if not np.isfinite(shares).all():
        return None
    return Parity(*np.array(shares).max(axis=0).tolist())


def _share(expected: NDArray[Any], found: NDArray[Any]) -> tuple[float, float]:
    """Return the largest and the mean difference of an output over its range."""
    values = expected.astype(np.float64)
    difference = np.abs(found.astype(np.float64) - values)
    # With 0, because an output may be a single number.
    span = max(values.max(initial=0) - values.min(initial=0), float(np.finfo(np.float32).tiny))
    return float(difference.max(initial=0)) / span, float(difference.mean() if difference.size else 0) / span
