"""Confidence intervals of a mean: bootstrap over faces, and over faces and training seeds together."""

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
# Faces drawn at a time: a call for each resampling costs more than the means of some hundred faces.
_AT_ONCE = 1 << 20

Values = NDArray[np.float64]


def bootstrap_interval(values: Values, seed: int, draws: int = DRAWS) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `values` (n,), from `draws` resamplings of the faces."""
    rng, n = np.random.default_rng(seed), len(values)
    rows = max(1, _AT_ONCE // n)
    counts = [min(rows, draws - done) for done in range(0, draws, rows)]
    means = np.concatenate([values[rng.integers(0, n, (count, n))].mean(1) for count in counts])
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def crossed_interval(values: Values) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `values` (seeds, faces), for other seeds and other faces.

    Two-way random effects without replication: the variance of the mean is (MS_seeds + MS_faces - MS_rest) / (seeds
    faces), its degrees of freedom are Satterthwaite's. Few seeds that differ widely make a wide interval, which a
    bootstrap of three values would not. Source: Searle, Casella and McCulloch, Variance Components, 1992, chapter 4;
    Satterthwaite, An approximate distribution of estimates of variance components, 1946.

    Raises:
        ValueError: fewer than two seeds or two faces.
    """
    from scipy.special import stdtrit

    seeds, faces = values.shape
    if min(seeds, faces) < 2:
        raise ValueError(f"{seeds} seeds and {faces} faces: an interval over both needs two of each")
    mean = values.mean()
    of_seeds, of_faces = values.mean(1), values.mean(0)
    rest = values - of_seeds[:, None] - of_faces + mean
    freedom = np.array([seeds - 1, faces - 1, (seeds - 1) * (faces - 1)])
    squares = np.array([faces * np.var(of_seeds) * seeds, seeds * np.var(of_faces) * faces, np.sum(rest**2)])
    parts = squares / freedom / values.size
    # Sampling error can make the estimate smaller than either main effect alone explains; neither may be undercut.
    variance = max(parts[0] + parts[1] - parts[2], parts[0], parts[1])
    if variance == 0:
        return float(mean), float(mean)
    half = stdtrit(max(1.0, variance**2 / np.sum(parts**2 / freedom)), 0.975) * np.sqrt(variance)
    return float(mean - half), float(mean + half)
