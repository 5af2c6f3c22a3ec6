"""Distillation between maps and to coordinates: each kind is what its name says, and refuses what it cannot read."""

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.errors import ConfigError
from distill.losses.distillation import distillation, per_landmark, require_kd_cached, require_kd_fits
from distill.losses.kd.coordinate import coordinate
from distill.losses.kd.gaussian import gaussian
from distill.losses.registry import kd_losses
from distill.models import Prediction
from distill.models.heatmaps import gaussian_maps
from tests.support.host_reads import watch_host_reads

MAP_KINDS = ("mse", "l2", "kl", "covariance")


def map_distillation(kind: str, student: Tensor, teacher: Tensor, temperature: float, valid: Tensor) -> Tensor:
    options = {"temperature": temperature} if kind == "kl" else {}
    points = torch.zeros(*student.shape[:2], 2)
    return distillation(kind, Prediction(points, student), Prediction(points, teacher), options, valid)


@pytest.fixture
def maps() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return torch.rand(3, 4, 8, 9, generator=rng), torch.rand(3, 4, 8, 9, generator=rng)


ALL = torch.ones(3, 4, dtype=torch.bool)


@pytest.mark.parametrize("kind", kd_losses())
def test_no_loss_makes_a_gpu_wait(kind: str, maps: tuple[Tensor, Tensor]) -> None:
    landmarks, sigmas = maps[0][:, :, 0, :2].clone().requires_grad_(), torch.full((3, 4, 2), 0.1)
    student = Prediction(landmarks, maps[0].clone().requires_grad_(), sigmas=sigmas)
    with watch_host_reads() as found:
        distillation(kind, student, Prediction(maps[1][:, :, 0, :2], maps[1]), {}, ALL).backward()
    assert found == []


@pytest.mark.parametrize("kind", MAP_KINDS)
def test_equal_maps_have_no_loss_and_no_gradient(kind: str, maps: tuple[Tensor, Tensor]) -> None:
    student = maps[0].clone().requires_grad_()
    loss = map_distillation(kind, student, maps[0], 2.0, ALL)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=2e-6)
    assert student.grad is not None
    assert float(student.grad.abs().max()) < 1e-6


@pytest.mark.parametrize("kind", MAP_KINDS)
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
        p = (p / p.sum((2, 3), keepdims=True) + 1 / 72) ** (1 / temperature)
        return p / p.sum((2, 3), keepdims=True)

    student, teacher = soften(maps[0]), soften(maps[1])
    expected = (teacher * np.log(teacher / student)).sum((2, 3)).mean() * temperature**2
    assert float(map_distillation("kl", *maps, temperature, ALL)) == pytest.approx(expected, rel=1e-4)


def test_gradient_of_kl_is_bounded_at_a_cell_that_is_almost_dark() -> None:
    # AAM maps pass a ReLU: a logarithm would turn the cells it lets barely through into all of the gradient.
    teacher = torch.full((1, 1, 8, 8), 1e-3)
    teacher[..., 3, 4] = 1
    gradients = []
    for light in (1e-2, 1e-7):
        student = torch.zeros(1, 1, 8, 8)
        student[..., 5, 5], student[..., 3, 4] = 1, light
        student.requires_grad_()
        map_distillation("kl", student, teacher, 1.0, ALL[:1, :1]).backward()
        assert student.grad is not None
        gradients.append(float(student.grad[..., 3, 4].abs()))
    assert gradients[1] < 2 * gradients[0]


def test_kl_does_not_see_the_amplitude_and_mse_does(maps: tuple[Tensor, Tensor]) -> None:
    student, teacher = maps
    assert float(map_distillation("kl", 7 * student, teacher, 1.0, ALL)) == pytest.approx(
        float(map_distillation("kl", student, teacher, 1.0, ALL)), rel=1e-5
    )
    assert float(map_distillation("mse", 7 * student, teacher, 1.0, ALL)) > 5


@pytest.mark.parametrize("kind", MAP_KINDS)
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
    with pytest.raises(ConfigError, match=r"\(3, 4, 8, 9\).*\(3, 4, 4, 9\)"):
        map_distillation("mse", maps[0], maps[1][:, :, ::2], 1.0, ALL)


def test_coordinates_are_robust() -> None:
    """Near the teacher the gradient vanishes; far from it, it is the same for every distance."""
    teacher = torch.full((1, 3, 2), 0.5)
    student = (teacher + torch.tensor([[[1e-4, 0.0], [0.1, 0.0], [0.4, 0.0]]])).requires_grad_()
    loss = coordinate(student, teacher)
    loss.sum().backward()
    assert student.grad is not None
    gradient = student.grad[0, :, 0]
    assert float(gradient[0]) == pytest.approx(0.01, rel=0.01)
    assert float(gradient[2]) == pytest.approx(float(gradient[1]), rel=0.01)
    assert loss[0].tolist() == pytest.approx([5e-7, 0.0905, 0.3901], rel=1e-2)
    assert float(coordinate(teacher, teacher).max()) == 0


def test_the_gaussian_that_is_the_teachers_map_costs_nothing() -> None:
    points = torch.tensor([[[12.5, 19.5], [16.5, 9.5]]]) / 32  # in the middle of a cell, where maps peak
    maps = 7 * gaussian_maps(points, 32, 32, sigma=2.0)
    spread = torch.full_like(points, 2 / 32)
    assert float(gaussian(points, spread, maps).max()) < 1e-4
    assert float(gaussian(points, 2 * spread, maps).min()) > 0.1
    assert float(gaussian(points + 0.2, spread, maps).min()) > 0.9


def test_gaussian_distillation_moves_point_and_spread_to_the_teacher() -> None:
    truth = torch.tensor([[[0.4, 0.6]]])
    maps = gaussian_maps(truth, 32, 32, sigma=2.0)
    points, log = torch.tensor([[[0.45, 0.55]]], requires_grad=True), torch.zeros(1, 1, 2, requires_grad=True)
    optimiser = torch.optim.Adam([points, log], lr=0.01)
    for _ in range(400):
        optimiser.zero_grad()
        gaussian(points, 0.1 * log.exp(), maps).sum().backward()
        optimiser.step()
    assert torch.allclose(points.detach(), truth, atol=1e-3)
    assert torch.allclose(0.1 * log.detach().exp(), torch.full((1, 1, 2), 2 / 32), atol=2e-3)


def test_an_empty_map_of_the_teacher_teaches_nothing() -> None:
    points = torch.full((1, 1, 2), 0.5, requires_grad=True)
    loss = gaussian(points, torch.full((1, 1, 2), 0.05), torch.zeros(1, 1, 8, 8)).sum()
    loss.backward()
    assert float(loss.detach()) == 0
    assert points.grad is not None
    assert float(points.grad.abs().max()) == 0


MAPS = Prediction(torch.rand(1, 5, 2), *(torch.rand(1, 5, 8, 8) for _ in range(3)))
POINTS = Prediction(torch.rand(1, 5, 2))
FINER = Prediction(torch.rand(1, 5, 2), *(torch.rand(1, 5, 16, 16) for _ in range(3)))
SURE = Prediction(torch.rand(1, 5, 2), sigmas=torch.rand(1, 5, 2))
UNLIKE = [
    ("mse", POINTS, MAPS, r"--kd.kind mse needs heatmaps, and the student predicts only landmarks: take coordinate or"),
    ("kl", MAPS, POINTS, "the teacher predicts only landmarks: take coordinate or none"),
    ("kl", FINER, MAPS, r"maps of student and teacher are \(1, 5, 16, 16\) and \(1, 5, 8, 8\): give both necks of one"),
    ("gaussian", POINTS, MAPS, "needs landmarks, sigmas .*uncertainty: true.* the student predicts only landmarks"),
    ("gaussian", SURE, POINTS, "gaussian needs heatmaps, and the teacher predicts only landmarks: take coordinate"),
]


@pytest.mark.parametrize(("kind", "student", "teacher", "message"), UNLIKE)
def test_unlike_combinations_are_refused(kind: str, student: Prediction, teacher: Prediction, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        require_kd_fits(kind, student, teacher, {})
    assert "\n" not in str(caught.value)


def test_a_cache_without_what_the_loss_reads_is_named_with_the_option() -> None:
    message = "--kd.kind mse needs the teacher's heatmaps, and --kd.cache.form landmarks caches only its landmarks: "
    with pytest.raises(ConfigError, match=f"^{message}give --kd.cache.form none$"):
        require_kd_cached("mse", POINTS, "landmarks")
    require_kd_cached("coordinate", POINTS, "landmarks")


def test_what_fits_is_accepted() -> None:
    for kind in kd_losses():
        require_kd_fits(kind, SURE if kind == "gaussian" else MAPS, MAPS, {})
    require_kd_fits("coordinate", POINTS, POINTS, {})
    require_kd_fits("covariance", FINER, MAPS, {})


@pytest.mark.parametrize("kind", [kind for kind in kd_losses() if kind != "gaussian"])
def test_a_batch_with_masked_points_is_the_mean_of_those_that_count(kind: str) -> None:
    rng = torch.Generator().manual_seed(2)
    student, teacher = (
        Prediction(torch.rand(2, 4, 2, generator=rng), torch.rand(2, 4, 8, 8, generator=rng)) for _ in range(2)
    )
    valid = torch.tensor([[True, False, True, False], [False, False, False, True]])
    each = per_landmark(kind, student, teacher, {})
    expected = (each[0, 0] + each[0, 2] + each[1, 3]) / 3
    assert float(distillation(kind, student, teacher, {}, valid)) == pytest.approx(float(expected), rel=1e-6)
