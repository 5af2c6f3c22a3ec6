"""Metrics against values worked out by hand and against an independent numpy version."""

import doctest
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.metrics import functional
from distill.metrics.functional import (
    accuracy_within,
    area_under_ced,
    ced,
    failure_rate,
    nme_per_face,
    normaliser,
    point_errors,
    summarise,
)

SCHEME = load_scheme("inner51")


def _published_auc(nme: NDArray[np.float64], threshold: float, step: float = 1e-4) -> float:
    """AUC as published code does it: the CED sampled every `step`, Simpson's rule."""
    x = np.linspace(0, threshold, round(threshold / step) + 1)
    y = (nme[None] <= x[:, None]).mean(1)
    weights = np.where(np.arange(len(x)) % 2 == 1, 4.0, 2.0)
    weights[[0, -1]] = 1
    return float((weights * y).sum() * step / 3 / threshold)


def _reference(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> dict[str, float]:
    """The definitions written as loops."""
    nme = []
    for p, t in zip(predicted, target, strict=True):
        d = np.hypot(*(t[19] - t[28]))
        nme.append(sum(np.hypot(*(a - b)) for a, b in zip(p, t, strict=True)) / len(t) / d)
    out = {"nme": sum(nme) / len(nme)}
    for name, limit in (("8", 0.08), ("10", 0.10)):
        out[f"fr{name}"] = sum(e > limit for e in nme) / len(nme)
        out[f"auc{name}"] = sum(limit - e for e in nme if e < limit) / limit / len(nme)
    return out


def test_equals_an_independent_version_on_1000_random_sets(record_property: Callable[[str, object], None]) -> None:
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(1000):
        target = rng.uniform(0, 200, (int(rng.integers(1, 5)), 51, 2))
        predicted = target + rng.normal(0, rng.uniform(0.1, 12), target.shape)
        truth = torch.from_numpy(target)
        ours = summarise(nme_per_face(torch.from_numpy(predicted), truth, normaliser(SCHEME, truth, "ocular")))
        expected = _reference(predicted, target)
        assert ours.keys() == expected.keys()
        for name, value in expected.items():
            worst = max(worst, abs(float(ours[name]) - value))
    record_property("difference", float(worst))
    assert worst <= 1e-9


def test_values_worked_out_by_hand() -> None:
    nme = torch.tensor([0.0, 0.02, 0.08, 0.09, 0.50], dtype=torch.float64)
    # At the threshold itself a face has not failed.
    assert float(failure_rate(nme, 0.08)) == pytest.approx(2 / 5)
    assert float(failure_rate(nme, 0.10)) == pytest.approx(1 / 5)
    assert float(area_under_ced(nme, 0.10)) == pytest.approx((1 + 0.8 + 0.2 + 0.1) / 5)
    assert ced(nme, torch.tensor([0.0, 0.02, 0.085], dtype=torch.float64)).tolist() == [0.2, 0.4, 0.6]


@pytest.mark.parametrize("threshold", [0.05, 0.08, 0.10])
def test_auc_equals_published_simpson_to_1e4(threshold: float) -> None:
    nme = np.random.default_rng(1).gamma(4, 0.012, 554)
    assert float(area_under_ced(torch.from_numpy(nme), threshold)) == pytest.approx(
        _published_auc(nme, threshold), abs=1e-4
    )


def test_auc_of_one_face_differs_from_simpson_by_no_more_than_stated() -> None:
    gaps = [
        abs(float(area_under_ced(torch.tensor([e], dtype=torch.float64), 0.08)) - _published_auc(np.array([e]), 0.08))
        for e in np.random.default_rng(2).uniform(0, 0.09, 200)
    ]
    assert 1e-4 < max(gaps) < 1e-4 * 2 / 3 / 0.08 + 1e-9


def test_a_prediction_that_is_not_a_number_is_a_failure() -> None:
    nme = torch.tensor([0.01, torch.nan])
    assert float(failure_rate(nme, 0.1)) == 0.5
    assert float(area_under_ced(nme, 0.1)) == pytest.approx(0.45)
    assert ced(nme, torch.tensor([1.0])).tolist() == [0.5]
    assert torch.isnan(summarise(nme)["nme"])


def test_five_pixels_exactly_count_as_right() -> None:
    assert float(accuracy_within(torch.tensor([[5.0, 5.0001, 0.0, 9.0]]))) == 0.5


def test_normalisers_come_from_the_truth() -> None:
    truth = torch.zeros(1, 51, 2)
    truth[0, 19], truth[0, 28] = torch.tensor([10.0, 0.0]), torch.tensor([40.0, 40.0])
    assert normaliser(SCHEME, truth, "ocular").tolist() == [50.0]
    # The pupils are means of six points: a sixth of the way, because the other five are at 0.
    assert normaliser(SCHEME, truth, "pupil").tolist() == pytest.approx([50 / 6])
    assert normaliser(SCHEME, truth, "box", torch.tensor([[9.0, 4.0]])).tolist() == [6.0]


def test_refuses_what_the_scheme_does_not_have() -> None:
    five = torch.rand(1, 5, 2)
    with pytest.raises(ConfigError, match=r"scheme five has no ocular distance.*pupil, box"):
        normaliser(load_scheme("five"), five, "ocular")
    with pytest.raises(ConfigError, match="did you mean 'ocular'"):
        normaliser(SCHEME, torch.rand(1, 51, 2), "oculer")
    with pytest.raises(ConfigError, match="needs the width and height"):
        normaliser(SCHEME, torch.rand(1, 51, 2), "box")
    with pytest.raises(ValueError, match="face 0 has ocular distance 0"):
        normaliser(SCHEME, torch.zeros(1, 51, 2), "ocular")


def test_shapes_are_not_broadcast() -> None:
    with pytest.raises(ValueError, match="must have one shape"):
        point_errors(torch.zeros(2, 5, 2), torch.zeros(1, 5, 2))


def test_doctests() -> None:
    assert doctest.testmod(functional).failed == 0
