"""Covariance distillation is its formula, has its minimum at equality, and a gradient everywhere."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.losses.kd.covariance import covariance, log_covariance
from distill.losses.star import moments
from distill.models.heatmaps import cell_centres, gaussian_maps


def _matrices(values: Tensor) -> Tensor:
    xx, xy, yy = values.unbind(-1)
    return torch.stack([torch.stack([xx, xy], -1), torch.stack([xy, yy], -1)], -2)


def _random_covariances(n: int = 50) -> Tensor:
    factor = torch.randn(n, 2, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    spread = factor @ factor.mT + 1e-3 * torch.eye(2, dtype=torch.float64)
    return torch.stack([spread[:, 0, 0], spread[:, 0, 1], spread[:, 1, 1]], -1)


def _random_maps(seed: int, h: int = 9, w: int = 12) -> Tensor:
    return torch.rand(2, 3, h, w, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) ** 4


def test_the_logarithm_is_that_of_the_eigenvalues() -> None:
    cov = _random_covariances()
    values, vectors = torch.linalg.eigh(_matrices(cov))
    expected = vectors @ torch.diag_embed(values.log()) @ vectors.mT
    assert torch.allclose(_matrices(log_covariance(cov)), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("ratio", [0.0, 1e-9, 0.0999, 0.1, 0.1001, 0.9])
def test_series_and_closed_form_meet(ratio: float) -> None:
    """Around the switch, and for isotropic matrices, value and gradient are those of the logarithm."""
    cov = torch.tensor([[2 * (1 + ratio), 0.0, 2 * (1 - ratio)]], dtype=torch.float64, requires_grad=True)
    logs = log_covariance(cov)
    assert torch.allclose(logs, torch.stack([cov[:, 0].log(), torch.zeros(1), cov[:, 2].log()], -1), atol=1e-10)
    logs[0, 0].backward()
    assert cov.grad is not None
    assert cov.grad[0].tolist() == pytest.approx([1 / float(cov.detach()[0, 0]), 0, 0], abs=1e-9)


MAPS: dict[str, Callable[[], Tensor]] = {
    "random": lambda: _random_maps(1),
    "isotropic": lambda: gaussian_maps(torch.full((1, 1, 2), 0.5, dtype=torch.float64), 12, 12, 1.5),
    "uniform": lambda: torch.ones(1, 1, 8, 8, dtype=torch.float64),
}


@pytest.mark.parametrize("case", MAPS)
def test_gradcheck(case: str) -> None:
    student = MAPS[case]()
    teacher = _random_maps(2)[: student.shape[0], : student.shape[1]]
    assert torch.autograd.gradcheck(lambda maps: covariance(maps, teacher), (student.clone().requires_grad_(),))


def test_equality_is_the_minimum_whatever_the_scale() -> None:
    teacher = _random_maps(2)
    student = (7 * teacher).requires_grad_()
    loss = covariance(student, teacher)
    loss.sum().backward()
    assert float(loss.detach().abs().max()) < 1e-12
    assert student.grad is not None
    assert float(student.grad.abs().max()) < 1e-9
    other = covariance(_random_maps(4), teacher)
    assert float(other.min()) > 1e-3


def test_value_against_eigenvalues_in_numpy() -> None:
    student, teacher = _random_maps(5), _random_maps(6)
    floor = np.diag([(2 / 12) ** 2 / 12, (2 / 9) ** 2 / 12])
    (mean, own), (goal, theirs) = moments(student), moments(teacher)
    found = covariance(student, teacher)
    for face in range(2):
        for point in range(3):
            mine, spread = (_matrices(c)[face, point].numpy() + floor for c in (own, theirs))
            error = (mean - goal)[face, point].numpy()
            logs = []
            for matrix in (mine, spread):
                values, vectors = np.linalg.eigh(matrix)
                logs.append(vectors @ np.diag(np.log(values)) @ vectors.T)
            mahalanobis = error @ np.linalg.inv(spread) @ error
            expected = np.sqrt(1 + mahalanobis) - 1 + np.sqrt(1 + ((logs[0] - logs[1]) ** 2).sum()) - 1
            assert float(found[face, point]) == pytest.approx(expected, rel=1e-9)


def test_an_error_along_the_teachers_long_axis_costs_less() -> None:
    points = torch.full((1, 1, 2), 0.5, dtype=torch.float64)
    x = cell_centres(48, points)

    def drawn(dx: float, dy: float) -> Tensor:
        lines = [torch.exp(-0.5 * ((x - 0.5 - shift) / s) ** 2) for shift, s in ((dy, 0.03), (dx, 0.1))]
        return (lines[0][:, None] * lines[1]).expand(1, 1, 48, 48)

    along, across = covariance(drawn(0.1, 0), drawn(0, 0)), covariance(drawn(0, 0.1), drawn(0, 0))
    assert float(across) > 4 * float(along) > 0.1


def test_unlike_resolutions_compare() -> None:
    points = torch.tensor([[[0.4, 0.6]]])
    fine, coarse = gaussian_maps(points, 64, 64, 4.0), gaussian_maps(points, 32, 32, 2.0)
    assert float(covariance(fine, coarse)) < 0.02
    assert float(covariance(fine, gaussian_maps(points + 0.2, 32, 32, 2.0))) > 1


def test_empty_maps_are_finite_and_an_empty_teacher_teaches_nothing() -> None:
    empty, full = torch.zeros(1, 1, 8, 8), _random_maps(1)[:1, :1, :8, :8].float()
    student = empty.clone().requires_grad_()
    loss = covariance(student, full)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()
    assert float(covariance(full, empty)) == 0
