"""Losses of plain maps: the formulas, their gradients, the same size at every resolution, and which points count."""

import math

import pytest
import torch
from torch import Tensor

from distill.losses.bce import binary_cross_entropy
from distill.losses.map_losses import MAP_LOSSES, MapLoss
from distill.losses.mse import squared_error
from distill.models import Prediction
from distill.models.heatmaps import gaussian_maps


def _maps(low: float = 0.05) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    prediction, target = torch.rand(2, 2, 3, 5, 4, generator=rng, dtype=torch.float64)
    return prediction * (1 - 2 * low) + low, target


def test_equal_the_formulas() -> None:
    p, t = _maps()
    expected = -(t * p.log() + (1 - t) * (1 - p).log()).sum((-2, -1))
    torch.testing.assert_close(binary_cross_entropy(p, t), expected)
    torch.testing.assert_close(squared_error(p, t), ((p - t) ** 2).sum((-2, -1)))


@pytest.mark.parametrize("loss", [binary_cross_entropy, squared_error])
def test_gradients(loss: object) -> None:
    p, t = _maps()
    assert torch.autograd.gradcheck(lambda x: loss(x, t), (p.requires_grad_(),))  # type: ignore[operator]


@pytest.mark.parametrize("loss", [binary_cross_entropy, squared_error])
def test_least_where_both_agree(loss: object) -> None:
    _, t = _maps()
    t = t.clamp(0.01, 0.99).requires_grad_()
    assert float(torch.autograd.grad(loss(t, t.detach()).sum(), t)[0].abs().max()) < 1e-9  # type: ignore[operator]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_saturated_maps_have_a_finite_loss_and_gradient(value: float) -> None:
    p = torch.full((1, 1, 4, 4), value, requires_grad=True)
    loss = binary_cross_entropy(p, torch.full((1, 1, 4, 4), 1 - value)).sum()
    loss.backward()
    assert p.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(p.grad).all()


@pytest.mark.parametrize("sigma", [1.0, 1.5])
@pytest.mark.parametrize("size", [24, 64])
def test_an_empty_map_costs_one_at_any_resolution(size: int, sigma: float) -> None:
    points = torch.full((1, 2, 2), 0.5)
    empty = Prediction(points, torch.zeros(1, 2, size, size))
    assert float(MapLoss("mse", sigma)(empty, points, torch.ones(1, 2))["loss"]) == pytest.approx(1, abs=1e-3)
    # Of a map of 1 / e everywhere under the Gaussian, the first term alone is its mass.
    dim = Prediction(points, torch.full((1, 2, size, size), math.exp(-1)))
    rest = -math.log(1 - math.exp(-1)) * (size**2 / (2 * math.pi * sigma**2) - 1)
    assert float(MapLoss("bce", sigma)(dim, points, torch.ones(1, 2))["loss"]) == pytest.approx(1 + rest, rel=1e-3)


@pytest.mark.parametrize("kind", MAP_LOSSES)
def test_points_outside_or_unmarked_do_not_count(kind: str) -> None:
    points = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(1)) * 0.6 + 0.2
    maps = gaussian_maps(points, 16, 16, 1.2).mul(0.9).requires_grad_()
    points[0, 1, 0], valid = 1.2, torch.ones(2, 3)
    valid[1, 2] = 0
    losses = MapLoss(kind)(Prediction(points, maps), points, valid)
    assert losses["loss"] is losses[kind]
    losses["loss"].backward()
    assert maps.grad is not None
    touched = maps.grad.abs().amax((-2, -1)) > 0
    assert touched.tolist() == [[True, False, True], [True, True, False]]


@pytest.mark.parametrize("kind", MAP_LOSSES)
def test_half_precision_is_raised(kind: str) -> None:
    points = torch.full((1, 1, 2), 0.4)
    maps = gaussian_maps(points, 16, 16, 1.0).bfloat16()
    assert MapLoss(kind)(Prediction(points, maps), points, torch.ones(1, 1))["loss"].dtype == torch.float32
