"""Intervals of a mean, over faces and over training seeds."""

import numpy as np
import pytest

from distill.evaluate.intervals import bootstrap_interval, crossed_interval


def differences(rng: np.random.Generator, seeds: int, of_seeds: float, mean: float = 0.3) -> np.ndarray:
    """Differences of two models: an effect of each seed, one of each face, and a rest."""
    seed, face = rng.normal(0, of_seeds, (seeds, 1)), rng.normal(0, 0.5, (1, 60))
    return mean + seed + face + rng.normal(0, 0.5, (seeds, 60))


def test_bootstrap_interval_is_repeatable_and_about_right() -> None:
    values = np.random.default_rng(0).normal(0.04, 0.01, 400)
    low, high = bootstrap_interval(values, seed=0)
    assert (low, high) == bootstrap_interval(values, seed=0)
    assert low < values.mean() < high
    # 1.96 standard errors on both sides.
    assert high - low == pytest.approx(2 * 1.96 * 0.01 / 20, rel=0.15)


@pytest.mark.parametrize("of_seeds", [0.0, 0.1, 0.5])
def test_interval_over_seeds_and_faces_holds_the_mean_in_95_of_100_studies(of_seeds: float) -> None:
    rng, studies, inside = np.random.default_rng(1), 400, 0
    for _ in range(studies):
        low, high = crossed_interval(differences(rng, 3, of_seeds))
        inside += low <= 0.3 <= high
    assert inside / studies >= 0.93


def test_bootstrap_over_faces_alone_is_too_sure_where_seeds_differ() -> None:
    rng, studies, inside = np.random.default_rng(1), 200, 0
    for _ in range(studies):
        low, high = bootstrap_interval(differences(rng, 3, 0.5).mean(0), 0, draws=200)
        inside += low <= 0.3 <= high
    assert inside / studies < 0.7


def test_equal_differences_have_an_interval_of_no_width() -> None:
    assert crossed_interval(np.full((2, 9), 0.25)) == (0.25, 0.25)


def test_one_seed_has_no_interval_over_seeds() -> None:
    with pytest.raises(ValueError, match="1 seeds and 9 faces"):
        crossed_interval(np.zeros((1, 9)))
