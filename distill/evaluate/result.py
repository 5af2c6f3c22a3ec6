"""What an evaluation found, face by face, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from distill.evaluate.protocol import Protocol, require_alike
from distill.landmarks import load_scheme
from distill.metrics.functional import accuracy_within, summarise

FORMAT = "distill-evaluation/1"
DRAWS = 1000

Values = NDArray[np.float64]


def bootstrap_interval(values: Values, seed: int, draws: int = DRAWS) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `values` (n,), from `draws` resamplings of the faces."""
    rng, n = np.random.default_rng(seed), len(values)
    means = [values[rng.integers(0, n, n)].mean() for _ in range(draws)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions and truth of n faces. Errors are fractions of a normaliser or pixels of the photo.

    Attributes:
        model: what was measured, for people (a file name).
        protocol: how.
        names: of the faces, in order.
        predicted: (n, k, 2) pixels of the photo.
        target: (n, k, 2) pixels of the photo.
        distances: for each normaliser, (n,) pixels of the photo.
    """

    model: str
    protocol: Protocol
    names: tuple[str, ...]
    predicted: NDArray[np.float32]
    target: NDArray[np.float32]
    distances: Mapping[str, Values]

    @property
    def primary(self) -> str:
        """The normaliser shown first: ocular where the scheme has it."""
        return self.protocol.normalisers[0]

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Parts of the face by name."""
        return load_scheme(self.protocol.scheme).groups

    @cached_property
    def errors(self) -> Values:
        """Distance of every point (n, k) in pixels of the photo."""
        return np.linalg.norm(self.predicted.astype(np.float64) - self.target, axis=-1)

    def nme(self, normaliser: str | None = None, group: str | None = None) -> Values:
        """Return the NME of every face (n,), over all points or those of one group."""
        errors = self.errors if group is None else self.errors[:, list(self.groups[group])]
        return errors.mean(1) / self.distances[normaliser or self.primary]

    def summary(self, normaliser: str | None = None) -> dict[str, float]:
        """Return nme, fr8, fr10, auc8, auc10 as fractions."""
        return {name: float(value) for name, value in summarise(torch.from_numpy(self.nme(normaliser))).items()}

    def interval(self, normaliser: str | None = None) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of the mean NME over faces."""
        return bootstrap_interval(self.nme(normaliser), self.protocol.seed)

    def accuracy_5px(self, group: str | None = None) -> float:
        """Return the share of points at most 5 pixels of the photo from the truth; it depends on the photo's size."""
        errors = self.errors if group is None else self.errors[:, list(self.groups[group])]
        return float(accuracy_within(torch.from_numpy(errors)))

    @property
    def accuracy_5px_box256(self) -> float:
        """The same after scaling every photo so that sqrt(width * height) of the true face box is 256 pixels."""
        scaled = self.errors * (256 / self.distances["box"])[:, None]
        return float(accuracy_within(torch.from_numpy(scaled)))

    def to_json(self) -> dict[str, Any]:
        """Return everything but the points, ready for `files.write_json`; shares and errors in percent."""
        kinds = self.protocol.normalisers
        per_face = {kind: _percent(self.nme(kind).tolist()) for kind in kinds}
        return {
            "format": FORMAT,
            "model": self.model,
            "protocol": self.protocol.to_dict(),
            "metrics": {kind: self._metrics(kind) for kind in kinds},
            "accuracy_5px_percent": 100 * self.accuracy_5px(),
            "accuracy_5px_box256_percent": 100 * self.accuracy_5px_box256,
            "groups": {
                group: {
                    "points": len(points),
                    "nme_percent": {kind: 100 * float(self.nme(kind, group).mean()) for kind in kinds},
                    "accuracy_5px_percent": 100 * self.accuracy_5px(group),
                }
                for group, points in self.groups.items()
            },
            "faces": {"name": list(self.names), "nme_percent": per_face},
        }

    def _metrics(self, kind: str) -> dict[str, Any]:
        values = {f"{name}_percent": 100 * value for name, value in self.summary(kind).items()}
        return {**values, "nme_95_percent": _percent(self.interval(kind))}


def _percent(values: Any) -> list[float]:
    return [100 * value for value in values]


class PairedDifference(NamedTuple):
    """Mean NME of `a` minus that of `b` on the same faces, as fractions; negative: `a` is better.

    Attributes:
        mean: of the differences.
        low: lower end of the 95 % interval.
        high: upper end; when 0 lies outside [low, high] the two models differ.
    """

    mean: float
    low: float
    high: float


def paired_bootstrap(a: Evaluation, b: Evaluation, normaliser: str | None = None) -> PairedDifference:
    """Compare two models face by face.

    Raises:
        ConfigError: the two were not measured on the same faces in the same way.
    """
    require_alike(a.protocol, b.protocol)
    differences = a.nme(normaliser) - b.nme(normaliser)
    return PairedDifference(float(differences.mean()), *bootstrap_interval(differences, a.protocol.seed))
