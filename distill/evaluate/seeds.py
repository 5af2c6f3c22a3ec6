"""Difference between two recipes trained with several seeds, with an interval over faces and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distill.errors import ConfigError
from distill.evaluate.intervals import Values, bootstrap_interval, crossed_interval
from distill.evaluate.protocol import require_alike
from distill.evaluate.result import Evaluation


@dataclass(frozen=True)
class SeedDifference:
    """Mean NME of a recipe minus that of another on the same faces, as fractions; negative: the first is better.

    Attributes:
        mean: over seeds and faces.
        low, high: ends of the 95 % interval.
        by_seed: mean over faces for each pair of trainings.
    """

    mean: float
    low: float
    high: float
    by_seed: tuple[float, ...]

    def percent(self) -> dict[str, float | list[float]]:
        """Return mean, interval and seeds in points of NME, as results record them."""
        points = {name: 100 * getattr(self, name) for name in ("mean", "low", "high")}
        return {**points, "by_seed": [100 * value for value in self.by_seed]}

    @property
    def dissenting(self) -> tuple[int, ...]:
        """Places in `by_seed` of the pairs whose difference does not have the sign of the mean."""
        return tuple(index for index, value in enumerate(self.by_seed) if value * self.mean <= 0)


def seed_difference(pairs: Sequence[tuple[Evaluation, Evaluation]]) -> SeedDifference:
    """Compare two recipes by pairs of trainings with one seed each.

    Raises:
        ConfigError: no pairs, or evaluations of unlike protocols.
    """
    if not pairs:
        raise ConfigError("no trainings to compare: give two with the same seed")
    first = pairs[0][0]
    for own, other in pairs:
        require_alike(first.protocol, own.protocol)
        require_alike(first.protocol, other.protocol)
    differences = np.stack([own.nme() - other.nme() for own, other in pairs])
    low, high = interval(differences, first.protocol.seed)
    by_seed = tuple(float(value) for value in differences.mean(1))
    return SeedDifference(float(differences.mean()), low, high, by_seed)


def interval(values: Values, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `values` (trainings, faces), over both; of one training, over faces."""
    return bootstrap_interval(values[0], seed) if len(values) == 1 else crossed_interval(values)
