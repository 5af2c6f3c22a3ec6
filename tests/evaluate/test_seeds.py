"""Recipes trained with several seeds are compared over faces and seeds; a seed that disagrees is found."""

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.evaluate.intervals import bootstrap_interval
from distill.evaluate.seeds import SeedDifference, interval, seed_difference
from tests.support.evaluation import Measure


def test_the_mean_is_over_faces_and_seeds_and_each_seed_is_kept(measure: Measure) -> None:
    # 0.4 px are one percent of the eye distance of these faces.
    pairs = [(measure(shift=(own, 0)), measure(shift=(other, 0))) for own, other in ((0.8, 1.2), (0.8, 0.9))]
    difference = seed_difference(pairs)
    assert difference.by_seed == pytest.approx((-0.01, -0.0025), abs=1e-6)
    assert difference.mean == pytest.approx(-0.00625, abs=1e-6)
    assert difference.low < -0.01  # two seeds that differ so much say little about a third
    assert difference.high > 0
    assert difference.dissenting == ()


def test_one_training_has_the_interval_of_its_faces() -> None:
    values = np.random.default_rng(1).normal(0, 1, (1, 300))
    assert interval(values, seed=3) == bootstrap_interval(values[0], seed=3)


@pytest.mark.parametrize(("by_seed", "indices"), [((-0.1, -0.2), ()), ((-0.3, 0.1), (1,)), ((0.0, 0.2), (0,))])
def test_a_seed_of_the_other_sign_is_named(by_seed: tuple[float, ...], indices: tuple[int, ...]) -> None:
    assert SeedDifference(float(np.mean(by_seed)), -1, 1, by_seed).dissenting == indices


def test_unlike_faces_are_refused(measure: Measure) -> None:
    with pytest.raises(ConfigError, match="no trainings"):
        seed_difference([])
    with pytest.raises(ConfigError, match="subset differs"):
        seed_difference([(measure(subset="common"), measure(subset="hard"))])
