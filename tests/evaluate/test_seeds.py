"""Recipes trained with several seeds are compared over faces and seeds; a seed that disagrees is found."""

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.evaluate.result import bootstrap_interval
from distill.evaluate.seeds import SeedDifference, crossed_interval, seed_difference
from tests.support.evaluation import Measure


def test_the_mean_is_over_faces_and_seeds_and_each_seed_is_kept(measure: Measure) -> None:
    # 0.4 px are one percent of the eye distance of these faces.
    pairs = [(measure(shift=(own, 0)), measure(shift=(other, 0))) for own, other in ((0.8, 1.2), (0.8, 0.9))]
    difference = seed_difference(pairs)
    assert difference.by_seed == pytest.approx((-0.01, -0.0025), abs=1e-6)
    assert difference.mean == pytest.approx(-0.00625, abs=1e-6)
    assert difference.low == pytest.approx(-0.01, abs=1e-6)  # both draws are the first training in a quarter of them
    assert difference.high == pytest.approx(-0.0025, abs=1e-6)
    assert difference.dissenting == ()


def test_trainings_that_differ_widen_the_interval_beyond_that_of_the_faces() -> None:
    faces = np.random.default_rng(0).normal(0, 0.001, 200)
    values = np.stack([faces - 0.01, faces + 0.01])
    low, high = crossed_interval(values, seed=0)
    assert high - low > 5 * np.subtract(*bootstrap_interval(values.mean(0), seed=0)[::-1])


def test_one_training_has_the_interval_of_its_faces() -> None:
    values = np.random.default_rng(1).normal(0, 1, (1, 300))
    assert crossed_interval(values, seed=0) == pytest.approx(bootstrap_interval(values[0], seed=1), abs=0.03)


@pytest.mark.parametrize(("by_seed", "places"), [((-0.1, -0.2), ()), ((-0.3, 0.1), (1,)), ((0.0, 0.2), (0,))])
def test_a_seed_of_the_other_sign_is_named(by_seed: tuple[float, ...], places: tuple[int, ...]) -> None:
    assert SeedDifference(float(np.mean(by_seed)), -1, 1, by_seed).dissenting == places


def test_unlike_faces_are_refused(measure: Measure) -> None:
    with pytest.raises(ConfigError, match="no trainings"):
        seed_difference([])
    with pytest.raises(ConfigError, match="subset differs"):
        seed_difference([(measure(subset="common"), measure(subset="hard"))])
