"""The One-Euro filter follows its paper: jitter at rest is removed, motion is followed."""

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.inference.smoothing import OneEuroConfig, OneEuroFilter


def test_by_hand() -> None:
    """Two steps of equations 1 to 6 with T = 0.1 s, written out."""
    filtered = OneEuroFilter(OneEuroConfig(min_cutoff=1.0, beta=0.5, derivative_cutoff=2.0))
    assert filtered(np.array([4.0]), 0.1) == [4.0]
    speed = (0.1 / (0.1 + 1 / (2 * np.pi * 2))) * 20
    first = 4 + (0.1 / (0.1 + 1 / (2 * np.pi * (1 + 0.5 * speed)))) * 2
    assert filtered(np.array([6.0]), 0.1) == pytest.approx([first])
    slower = speed + (0.1 / (0.1 + 1 / (2 * np.pi * 2))) * ((5 - first) / 0.1 - speed)
    second = first + (0.1 / (0.1 + 1 / (2 * np.pi * (1 + 0.5 * abs(slower))))) * (5 - first)
    assert filtered(np.array([5.0]), 0.1) == pytest.approx([second])


def test_beta_trades_jitter_for_lag() -> None:
    """At rest both filters remove noise; in motion the one with beta lags less."""
    rng = np.random.default_rng(0)
    still, moving = rng.normal(0, 0.01, (200, 8)), np.linspace(0, 16, 200)[:, None]

    def run(values: np.ndarray, beta: float) -> np.ndarray:
        filtered = OneEuroFilter(OneEuroConfig(1.0, beta))
        return np.array([filtered(value, 0.04) for value in values])

    assert run(still, 0.5)[20:].std() < 0.5 * still.std()
    lag = {beta: float((moving - run(moving, beta))[50:].mean()) for beta in (0.0, 5.0)}
    assert 0 < lag[5.0] < 0.2 * lag[0.0]


def test_a_time_step_may_change() -> None:
    """Cameras drop frames: twice the time lets through more of the change."""
    steps = {}
    for seconds in (0.02, 0.04):
        filtered = OneEuroFilter(OneEuroConfig(1.0))
        filtered(np.zeros(1), seconds)
        steps[seconds] = float(filtered(np.ones(1), seconds)[0])
    assert 1.5 * steps[0.02] < steps[0.04] < 1


def test_cutoffs_are_positive() -> None:
    with pytest.raises(ConfigError, match="above 0"):
        OneEuroConfig(min_cutoff=0)
