"""Ellipses that are right hold what they promise; ellipses that are too small say by how much."""

import numpy as np
import pytest
import torch

from distill.evaluate.faces import load_faces
from distill.evaluate.uncertainty import calibration, coverage, mahalanobis, map_covariances
from distill.models.heatmaps import gaussian_maps
from tests.support.evaluation import MakeOracle


def draws(scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    covariance = np.array([[4.0, 1.5], [1.5, 1.0]])
    errors = rng.multivariate_normal([0, 0], covariance, (4000, 5)) * scale
    return mahalanobis(errors, np.broadcast_to([4.0, 1.5, 1.0], (4000, 5, 3)))


def test_errors_drawn_from_the_ellipses_are_calibrated() -> None:
    found = coverage(draws(), {"a": (0, 1), "b": (2, 3, 4)})
    assert found["inside_percent"] == pytest.approx({"50": 50, "68.3": 68.3, "90": 90, "95.4": 95.4}, abs=1)
    assert found["scale"] == pytest.approx(1, abs=0.02)
    assert set(found["groups"]) == {"a", "b"}


def test_errors_twice_as_large_ask_for_ellipses_twice_as_large() -> None:
    assert coverage(draws(2.0))["scale"] == pytest.approx(2, abs=0.04)


def test_points_nobody_marked_do_not_count() -> None:
    squared = draws()
    squared[:, 0] = np.nan
    assert coverage(squared)["inside_percent"]["50"] == pytest.approx(50, abs=1)


def test_covariance_of_a_gaussian_map_in_squared_crop_sides() -> None:
    maps = gaussian_maps(torch.tensor([[[0.5, 0.4]]]), 64, 64, sigma=3.0)
    xx, xy, yy = map_covariances(maps)[0, 0]
    assert (xx, yy) == pytest.approx(((3 / 64) ** 2,) * 2, rel=0.03)
    assert abs(xy) < 1e-6


def test_an_exported_file_tells_no_covariance(root, oracle: MakeOracle) -> None:
    assert calibration(oracle(), load_faces("inner51", format="manifest", root=root)) is None
