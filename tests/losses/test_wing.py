"""Adaptive wing: the derivative is that of the formula, the formula is the paper's."""

import math

import pytest
import torch
from torch import Tensor

from distill.losses.wing import AdaptiveWingLoss, adaptive_wing, foreground, map_loss


def _naive(prediction: Tensor, target: Tensor) -> Tensor:
    """Wang et al., eq. 3, term by term."""
    omega, theta, epsilon, alpha = 14.0, 0.5, 1.0, 2.1
    power, distance = alpha - target, (target - prediction).abs()
    slope = omega / (1 + (theta / epsilon) ** power) * power * (theta / epsilon) ** (power - 1) / epsilon
    offset = theta * slope - omega * torch.log(1 + (theta / epsilon) ** power)
    inside = omega * torch.log(1 + (distance / epsilon) ** power)
    return torch.where(distance < theta, inside, slope * distance - offset)


def _maps() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(2)
    return torch.rand(2, 3, 5, 6, generator=rng, dtype=torch.float64), torch.rand(
        2, 3, 5, 6, generator=rng, dtype=torch.float64
    )


def test_equals_the_formula() -> None:
    prediction, target = _maps()
    assert torch.allclose(adaptive_wing(prediction, target)[0], _naive(prediction, target), rtol=0, atol=1e-12)


def test_derivative_is_that_of_the_formula() -> None:
    prediction, target = _maps()
    reference = prediction.clone().requires_grad_()
    _naive(reference, target).sum().backward()
    assert torch.allclose(adaptive_wing(prediction, target)[1], reference.grad, rtol=0, atol=1e-10)  # type: ignore[arg-type]


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_a_map_is_that_of_its_weighted_mean(memory: torch.memory_format) -> None:
    prediction, target = _maps()
    ours = prediction.clone(memory_format=memory).requires_grad_()
    reference = prediction.clone().requires_grad_()
    share = torch.linspace(0.1, 2, 6, dtype=torch.float64).view(2, 3)
    weights = torch.where(foreground(target), 11.0, 1.0)
    expected = (_naive(reference, target) * weights).mean((-2, -1))
    assert torch.allclose(map_loss(ours, target), expected, rtol=0, atol=1e-12)
    (map_loss(ours, target) * share).sum().backward()
    (expected * share).sum().backward()
    assert torch.allclose(ours.grad, reference.grad, rtol=0, atol=1e-10)  # type: ignore[arg-type]
    assert torch.autograd.gradcheck(lambda p: map_loss(p, target), (ours,))


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_continuous_at_theta(target: float) -> None:
    below, above = torch.tensor([0.5 - 1e-9, 0.5 + 1e-9], dtype=torch.float64).unbind()
    y = torch.tensor(target, dtype=torch.float64)
    values = [adaptive_wing(y + step, y)[0] for step in (below, above)]
    assert float(values[0]) == pytest.approx(float(values[1]), abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_no_loss_and_no_gradient_where_both_agree(value: float) -> None:
    maps = torch.full((1, 1, 2, 2), value)
    loss, derivative = adaptive_wing(maps, maps.clone())
    assert float(loss.max()) < 1e-9
    assert torch.equal(derivative, torch.zeros(1, 1, 2, 2))


def test_golden_values() -> None:
    zero, unit = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    assert float(adaptive_wing(zero + 0.25, zero)[0]) == pytest.approx(14 * math.log(1 + 0.25**2.1), rel=1e-9)
    slope = 14 * 1.1 * 0.5**0.1 / (1 + 0.5**1.1)
    offset = 0.5 * slope - 14 * math.log(1 + 0.5**1.1)
    assert float(adaptive_wing(zero, unit)[0]) == pytest.approx(slope - offset, rel=1e-9)


def test_foreground_is_dilated_by_one_cell() -> None:
    target = torch.zeros(1, 1, 5, 7)
    target[..., 2, 3], target[..., 0, 6] = 0.2, 0.19
    expected = torch.zeros(1, 1, 5, 7, dtype=torch.bool)
    expected[..., 1:4, 2:5] = True
    assert torch.equal(foreground(target), expected)
    rng = torch.Generator().manual_seed(4)
    maps = torch.rand(2, 3, 9, 8, generator=rng).pow(4)
    assert torch.equal(foreground(maps), torch.nn.functional.max_pool2d(maps, 3, 1, 1) >= 0.2)


def test_module_weighs_cells_and_skips_channels() -> None:
    prediction, target = (maps.float() for maps in _maps())
    valid = torch.tensor([[True, False, False], [True, True, False]])
    weights = torch.where(foreground(target), 11.0, 1.0)
    expected = (_naive(prediction, target) * weights).mean((-2, -1))[valid].mean()
    assert float(AdaptiveWingLoss()(prediction, target, valid)) == pytest.approx(float(expected), rel=1e-5)
    assert AdaptiveWingLoss()(prediction.bfloat16(), target, valid).dtype == torch.float32
