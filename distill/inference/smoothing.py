"""One-Euro filter: a low-pass filter of landmarks whose cutoff frequency rises with their speed.

Casiez, Roussel and Vogel: 1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems,
CHI 2012, equations 1 to 6. Written here over arrays: the authors' package on PyPI filters one number a call.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError

Values = NDArray[np.float64]


@dataclass(frozen=True)
class OneEuroConfig:
    """Parameters of the filter; speeds are in units of the values per second.

    Attributes:
        min_cutoff: cutoff frequency at rest, in hertz; lower removes more jitter.
        beta: rise of the cutoff with the speed, in hertz per unit of speed; higher lags less in motion.
        derivative_cutoff: cutoff frequency of the low-pass filter of the speed, in hertz.
    """

    min_cutoff: float = 1.0
    beta: float = 0.0
    derivative_cutoff: float = 1.0

    def __post_init__(self) -> None:
        if not (self.min_cutoff > 0 and self.derivative_cutoff > 0 and self.beta >= 0):
            raise ConfigError(f"{self}: cutoff frequencies must be above 0 and beta at least 0")


def smoothing_factor(cutoff: Values | float, seconds: float) -> Values | float:
    """Return alpha in [0, 1] of an exponential filter: 1 / (1 + tau / T), tau = 1 / (2 pi cutoff)."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))


class OneEuroFilter:
    """Filter one signal, an array of any shape; every element has a cutoff of its own."""

    def __init__(self, config: OneEuroConfig = OneEuroConfig()) -> None:
        self.config = config
        self._value: Values | None = None
        self._speed: Values | None = None

    def __call__(self, value: NDArray[np.floating], seconds: float) -> Values:
        """Return the filtered value.

        Args:
            value: of one array shape in all calls.
            seconds: since the last call, above 0; ignored in the first.
        """
        value = np.asarray(value, np.float64)
        if self._value is None or self._speed is None:
            self._value, self._speed = value, np.zeros_like(value)
            return value
        speed = (value - self._value) / seconds
        self._speed = self._speed + smoothing_factor(self.config.derivative_cutoff, seconds) * (speed - self._speed)
        cutoff = self.config.min_cutoff + self.config.beta * np.abs(self._speed)
        self._value = self._value + smoothing_factor(cutoff, seconds) * (value - self._value)
        return self._value
