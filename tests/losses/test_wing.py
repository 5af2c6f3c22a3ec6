"""Adaptive wing: the fused derivative is the derivative, the formula is the paper's."""

import math

import pytest
import torch
from torch import Tensor

from distill.losses.wing import AdaptiveWingLoss, adaptive_wing, foreground_weights


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
    assert torch.allclose(adaptive_wing(prediction, target), _naive(prediction, target), rtol=0, atol=1e-12)


def test_gradient_is_that_of_the_formula() -> None:
    prediction, target = _maps()
    ours, reference = prediction.clone().requires_grad_(), prediction.clone().requires_grad_()
    weights = torch.linspace(0.1, 2, prediction.numel(), dtype=torch.float64).view_as(prediction)
    (adaptive_wing(ours, target) * weights).sum().backward()
    (_naive(reference, target) * weights).sum().backward()
    assert torch.allclose(ours.grad, reference.grad, rtol=0, atol=1e-10)  # type: ignore[arg-type]
    assert torch.autograd.gradcheck(lambda p: adaptive_wing(p, target), (ours,))


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_continuous_at_theta(target: float) -> None:
    below, above = torch.tensor([0.5 - 1e-9, 0.5 + 1e-9], dtype=torch.float64).unbind()
    y = torch.tensor(target, dtype=torch.float64)
    values = [adaptive_wing(y + step, y) for step in (below, above)]
    assert float(values[0]) == pytest.approx(float(values[1]), abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_no_loss_and_a_finite_gradient_where_both_agree(value: float) -> None:
    prediction = torch.full((1, 1, 2, 2), value, requires_grad=True)
    loss = adaptive_wing(prediction, torch.full((1, 1, 2, 2), value))
    loss.sum().backward()
    assert float(loss.max()) < 1e-9
    assert torch.equal(prediction.grad, torch.zeros(1, 1, 2, 2))  # type: ignore[arg-type]


def test_golden_values() -> None:
    zero, unit = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    assert float(adaptive_wing(zero + 0.25, zero)) == pytest.approx(14 * math.log(1 + 0.25**2.1), rel=1e-9)
    slope = 14 * 1.1 * 0.5**0.1 / (1 + 0.5**1.1)
    offset = 0.5 * slope - 14 * math.log(1 + 0.5**1.1)
    assert float(adaptive_wing(zero, unit)) == pytest.approx(slope - offset, rel=1e-9)


def test_foreground_is_dilated_by_one_cell_and_weighs_eleven() -> None:
    target = torch.zeros(1, 1, 5, 7)
    target[..., 2, 3], target[..., 0, 6] = 0.2, 0.19
    expected = torch.ones(1, 1, 5, 7)
    expected[..., 1:4, 2:5] = 11
    assert torch.equal(foreground_weights(target), expected)


def test_module_weighs_cells_and_skips_channels() -> None:
    prediction, target = (maps.float() for maps in _maps())
    valid = torch.tensor([[True, False, False], [True, True, False]])
    expected = (_naive(prediction, target) * foreground_weights(target)).mean((-2, -1))[valid].mean()
    assert float(AdaptiveWingLoss()(prediction, target, valid)) == pytest.approx(float(expected), rel=1e-5)
    assert AdaptiveWingLoss()(prediction.bfloat16(), target, valid).dtype == torch.float32
