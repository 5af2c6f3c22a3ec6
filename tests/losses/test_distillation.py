"""Distillation between heatmaps: each kind is what its name says."""

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.losses.distillation import MAP_LOSSES, map_distillation


@pytest.fixture
def maps() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return torch.rand(3, 4, 8, 9, generator=rng), torch.rand(3, 4, 8, 9, generator=rng)


ALL = torch.ones(3, 4, dtype=torch.bool)


@pytest.mark.parametrize("kind", MAP_LOSSES)
def test_equal_maps_cost_nothing_and_pull_nowhere(kind: str, maps: tuple[Tensor, Tensor]) -> None:
    student = maps[0].clone().requires_grad_()
    loss = map_distillation(kind, student, maps[0], 2.0, ALL)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=2e-6)
    assert student.grad is not None
    assert float(student.grad.abs().max()) < 1e-6


@pytest.mark.parametrize("kind", MAP_LOSSES)
def test_different_maps_cost_and_going_downhill_helps(kind: str, maps: tuple[Tensor, Tensor]) -> None:
    student = maps[0].clone().requires_grad_()
    loss = map_distillation(kind, student, maps[1], 1.0, ALL)
    loss.backward()
    assert student.grad is not None
    step = student.detach() - 1e-3 * student.grad / student.grad.norm()
    assert float(map_distillation(kind, step, maps[1], 1.0, ALL)) < float(loss.detach())


def test_mse_and_l2_against_numpy(maps: tuple[Tensor, Tensor]) -> None:
    student, teacher = (m.numpy().astype(np.float64) for m in maps)
    squares = (student - teacher) ** 2
    mse, l2 = (float(map_distillation(kind, *maps, 1.0, ALL)) for kind in ("mse", "l2"))
    assert mse == pytest.approx(squares.mean(), rel=1e-5)
    assert l2 == pytest.approx(np.sqrt(squares.sum((2, 3))).mean(), rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_kl_against_numpy(maps: tuple[Tensor, Tensor], temperature: float) -> None:
    def soften(maps: Tensor) -> np.ndarray:
        p = maps.numpy().astype(np.float64)
        p = (p / p.sum((2, 3), keepdims=True) + 1e-8) ** (1 / temperature)
        return p / p.sum((2, 3), keepdims=True)

    student, teacher = soften(maps[0]), soften(maps[1])
    expected = (teacher * np.log(teacher / student)).sum((2, 3)).mean() * temperature**2
    assert float(map_distillation("kl", *maps, temperature, ALL)) == pytest.approx(expected, rel=1e-4)


def test_kl_does_not_see_the_amplitude_and_mse_does(maps: tuple[Tensor, Tensor]) -> None:
    student, teacher = maps
    assert float(map_distillation("kl", 7 * student, teacher, 1.0, ALL)) == pytest.approx(
        float(map_distillation("kl", student, teacher, 1.0, ALL)), rel=1e-5
    )
    assert float(map_distillation("mse", 7 * student, teacher, 1.0, ALL)) > 5


@pytest.mark.parametrize("kind", MAP_LOSSES)
def test_empty_maps_are_finite(kind: str) -> None:
    student = torch.zeros(1, 2, 4, 4, requires_grad=True)
    loss = map_distillation(kind, student, torch.zeros(1, 2, 4, 4), 1.0, torch.ones(1, 2, dtype=torch.bool))
    loss.backward()
    assert torch.isfinite(loss)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_landmarks_that_do_not_count_do_not_count(maps: tuple[Tensor, Tensor]) -> None:
    valid = torch.zeros(3, 4, dtype=torch.bool)
    valid[1, 2] = True
    expected = (maps[0][1, 2] - maps[1][1, 2]).square().mean()
    assert float(map_distillation("mse", *maps, 1.0, valid)) == pytest.approx(float(expected), rel=1e-6)
    assert float(map_distillation("mse", *maps, 1.0, ~ALL)) == 0


def test_unlike_resolutions_are_refused(maps: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 8, 9\).*\(3, 4, 4, 9\)"):
        map_distillation("mse", maps[0], maps[1][:, :, ::2], 1.0, ALL)
