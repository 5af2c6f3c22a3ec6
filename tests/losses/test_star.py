"""The closed form is the published loss: same value, same gradient, and finite where the published one is not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from distill.losses.star import StarLoss, moments, star_loss
from distill.models.heatmaps import cell_centres, gaussian_maps

H, W = 12, 16


def _random_maps(n: int = 40, dtype: torch.dtype = torch.float64, h: int = H, w: int = W) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(5)
    points = torch.rand(n, 1, 2, generator=rng, dtype=torch.float64) * 0.8 + 0.1
    noise = torch.rand(n, 1, h, w, generator=rng, dtype=torch.float64)
    maps = 7 * gaussian_maps(points, h, w, sigma=1.3) + 0.05 * noise
    target = points + 0.05 * torch.randn(n, 1, 2, generator=rng, dtype=torch.float64)
    return maps.to(dtype), target.to(dtype)


def _one_hot() -> Tensor:
    maps = torch.zeros(1, 1, H, W, dtype=torch.float64)
    maps[..., 4, 9] = 3
    return maps


def _brute_moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Cell by cell, as the formula is written."""
    p = maps / maps.sum((-2, -1), keepdim=True).clamp_min(1e-6)
    y = (2 * cell_centres(maps.shape[-2], p) - 1)[:, None].expand_as(p)
    x = (2 * cell_centres(maps.shape[-1], p) - 1).expand_as(p)
    mean_x, mean_y = ((p * c).sum((-2, -1), keepdim=True) for c in (x, y))
    v1, v2 = p.sum((-2, -1)) + 1e-5, p.square().sum((-2, -1)) + 1e-5
    products = [(x - mean_x) ** 2, (x - mean_x) * (y - mean_y), (y - mean_y) ** 2]
    scatter = torch.stack([(p * product).sum((-2, -1)) for product in products], -1)
    return torch.stack([mean_x[..., 0, 0], mean_y[..., 0, 0]], -1), scatter / (v1 - v2 / v1)[..., None]


def _by_eigh(maps: Tensor, target: Tensor, weight: float = 1.0) -> Tensor:
    mean, covariance = _brute_moments(maps)
    xx, xy, yy = covariance.unbind(-1)
    values, vectors = torch.linalg.eigh(torch.stack([torch.stack([xx, xy], -1), torch.stack([xy, yy], -1)], -2))
    along = (vectors * (2 * target - 1 - mean)[..., None]).sum(-2)
    distance = torch.where(along.abs() < 0.01, 50 * along**2, along.abs() - 0.005)
    return (distance / (values + 1e-5).sqrt()).sum(-1) + weight * values.abs().sum(-1)


def test_moments_equal_brute_force_whatever_the_scale() -> None:
    maps, _ = _random_maps()
    mean, covariance = moments(maps)
    expected_mean, expected_covariance = _brute_moments(maps)
    assert torch.allclose(mean, expected_mean, rtol=0, atol=1e-12)
    assert torch.allclose(covariance, expected_covariance, rtol=0, atol=1e-12)
    assert torch.allclose(moments(maps * 1e3)[1], covariance, rtol=0, atol=1e-12)


def test_equals_eigh_in_value_and_gradient(record_property: Callable[[str, object], None]) -> None:
    maps, target = _random_maps()
    ours, reference = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    loss, expected = star_loss(ours, target), _by_eigh(reference, target)
    record_property("difference", float((loss - expected).detach().abs().max()))
    assert torch.allclose(loss, expected, rtol=0, atol=1e-6)
    loss.sum().backward()
    expected.sum().backward()
    assert ours.grad is not None
    assert reference.grad is not None
    # The gradient of the eigenvectors grows without bound where the eigenvalues meet, and there ours stays finite.
    xx, xy, yy = _brute_moments(maps)[1].unbind(-1)
    apart = ((xx - yy) ** 2 + 4 * xy**2).sqrt() > 2e-3
    assert apart.float().mean() > 0.5
    assert torch.allclose(ours.grad[apart], reference.grad[apart], rtol=1e-4, atol=1e-5)


def test_float32_carries_the_loss() -> None:
    maps, target = _random_maps(400, h=64, w=64)
    loss = star_loss(maps.float(), target.float())
    assert torch.allclose(loss.double(), _by_eigh(maps, target), rtol=1e-5, atol=1e-6)


CASES: dict[str, Callable[[], Tensor]] = {
    "random": lambda: _random_maps(3)[0],
    "isotropic": lambda: gaussian_maps(torch.full((1, 1, 2), 0.5, dtype=torch.float64), 12, 12, 1.5),
    "near one-hot": lambda: _one_hot() + 1e-3,
    "uniform": lambda: torch.ones(1, 1, H, W, dtype=torch.float64),
}


@pytest.mark.parametrize("case", CASES)
def test_gradcheck(case: str) -> None:
    maps = CASES[case]()
    target = torch.full((*maps.shape[:2], 2), 0.3, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda m: star_loss(m, target), (maps.clone().requires_grad_(),), eps=1e-7, atol=1e-5, rtol=1e-3
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("target", [0.5, 0.0])
@pytest.mark.parametrize("case", [*CASES, "one-hot", "zero", "tiny", "huge"])
def test_finite_on_degenerate_maps(case: str, target: float, dtype: torch.dtype) -> None:
    extra = {
        "one-hot": _one_hot(), "zero": torch.zeros(1, 1, H, W), "tiny": torch.full((1, 1, H, W), 1e-30),
        "huge": 1e6 * _one_hot() + 1,
    }  # fmt: skip
    maps = (extra[case] if case in extra else CASES[case]()).to(dtype).requires_grad_()
    loss = star_loss(maps, torch.full((*maps.shape[:2], 2), target, dtype=torch.float32))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()


def test_a_target_on_the_mean_leaves_only_the_eigenvalues() -> None:
    maps, _ = _random_maps()
    mean, covariance = moments(maps)
    on_mean = (mean + 1) / 2
    assert star_loss(maps, on_mean, weight=0).abs().max() < 1e-12
    assert torch.allclose(star_loss(maps, on_mean, weight=2), 2 * (covariance[..., 0] + covariance[..., 2]))


def test_half_precision_maps_are_computed_in_float32() -> None:
    maps, target = _random_maps()
    half = maps.bfloat16()
    assert star_loss(half, target).dtype == torch.float32
    assert torch.allclose(star_loss(half, target), star_loss(half.float(), target.float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(star_loss(maps.float(), target), star_loss(maps.float(), target.float()))


def test_eigenvalues_are_not_detached() -> None:
    # With the target on the mean of a symmetric map the first term has no gradient: what is left shrinks the spread.
    maps = gaussian_maps(torch.full((1, 1, 2), 0.5, dtype=torch.float64), 12, 12, 2.0).requires_grad_()
    star_loss(maps, torch.full((1, 1, 2), 0.5, dtype=torch.float64)).sum().backward()
    assert maps.grad is not None
    assert maps.grad[0, 0, 0, 0] > 1e-4, "mass far from the mean must cost"
    assert maps.grad[0, 0, 5, 5] < 0, "mass at the mean must pay"
    # And through the denominator: without the restriction, a wider map makes the same error cheaper.
    off = torch.tensor([[[0.6, 0.5]]], dtype=torch.float64)
    narrow, wide = (gaussian_maps(torch.full((1, 1, 2), 0.5, dtype=torch.float64), 12, 12, s) for s in (1.0, 2.0))
    assert star_loss(wide, off, weight=0) < star_loss(narrow, off, weight=0)


def test_moving_map_and_target_together_changes_nothing() -> None:
    maps, target = torch.zeros(1, 1, 24, 24, dtype=torch.float64), torch.tensor([[[0.4, 0.45]]], dtype=torch.float64)
    maps[..., 6:12, 5:13] = _random_maps(1)[0][..., :6, :8]
    moved = maps.roll((3, 7), (-2, -1))
    shift = torch.tensor([7 / 24, 3 / 24], dtype=torch.float64)
    assert torch.allclose(star_loss(moved, target + shift), star_loss(maps, target), rtol=0, atol=1e-12)


def test_golden_values() -> None:
    """A change of any constant (floors, quadratic zone, weight, grid) shows here."""
    target = torch.tensor([[[0.55, 0.5], [0.501, 0.5]]], dtype=torch.float64)
    points = torch.full((1, 2, 2), 0.5, dtype=torch.float64)
    x = cell_centres(64, points)
    maps = torch.exp(-0.5 * ((x[:, None] - 0.5) / 0.02) ** 2 - 0.5 * ((x - 0.5) / 0.05) ** 2).expand(1, 2, 64, 64)
    # 2 sigma = 0.1 along x and 0.04 along y on [-1, 1]; e = (0.1, 0) and (0.002, 0), both along the major axis.
    v1, v2 = 1 + 1e-5, (maps[0, 0] / maps[0, 0].sum()).square().sum() + 1e-5
    major, minor = 0.01 / (v1 - v2 / v1), 0.0016 / (v1 - v2 / v1)
    expected = [
        (0.1 - 0.005) / (major + 1e-5) ** 0.5 + major + minor,
        50 * 0.002**2 / (major + 1e-5) ** 0.5 + major + minor,
    ]
    assert star_loss(maps, target)[0].tolist() == pytest.approx([float(e) for e in expected], rel=2e-4)
    assert float(expected[0]) == pytest.approx(0.952095, abs=1e-6)


def test_module_averages_over_valid_landmarks_only() -> None:
    maps, target = _random_maps(6)
    maps, target = maps.view(2, 3, H, W), target.view(2, 3, 2)
    valid = torch.tensor([[True, False, True], [False, False, True]])
    assert torch.allclose(StarLoss()(maps, target, valid), star_loss(maps, target)[valid].mean())
