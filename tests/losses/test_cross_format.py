"""Heads for several kinds of landmarks: what is missing has no loss and no gradient."""

import pytest
import torch
from torch import Tensor

from distill.landmarks import load_scheme
from distill.losses.cross_format import CrossFormatLoss
from distill.losses.points import PointLoss
from distill.models import Prediction

SCHEMES = ("inner51", "wflw98")


def _batch(seed: int = 0) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    rng = torch.Generator().manual_seed(seed)
    points, targets = {}, {}
    for scheme in SCHEMES:
        k = load_scheme(scheme).n_points
        truth = torch.rand(4, k, 2, generator=rng) * 0.6 + 0.2
        points[scheme] = (truth + 0.05 * torch.randn(4, k, 2, generator=rng)).requires_grad_()
        targets[scheme] = {"landmarks": truth, "known": torch.ones(4, k, dtype=torch.bool)}
    return points, targets


@pytest.fixture
def loss() -> CrossFormatLoss:
    return CrossFormatLoss({scheme: PointLoss("nme", load_scheme(scheme)) for scheme in SCHEMES})


def _terms(loss: CrossFormatLoss, points: dict[str, Tensor], targets: dict, weight: Tensor) -> dict[str, Tensor]:
    return loss({scheme: Prediction(p) for scheme, p in points.items()}, targets, weight)


def test_one_set_of_full_weight_is_the_plain_loss(loss: CrossFormatLoss) -> None:
    points, targets = _batch()
    terms = _terms(loss, points, targets, torch.ones(4))
    for scheme in SCHEMES:
        plain = PointLoss("nme", load_scheme(scheme))(Prediction(points[scheme]), **_named(targets[scheme]))["loss"]
        assert float(terms[scheme].detach()) == pytest.approx(float(plain.detach()), rel=1e-6)
    assert float(terms["loss"].detach()) == pytest.approx(sum(float(terms[s].detach()) for s in SCHEMES), rel=1e-6)


def _named(target: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"landmarks": target["landmarks"], "valid": target["known"]}


def test_missing_is_zero_and_has_no_gradient(loss: CrossFormatLoss) -> None:
    points, targets = _batch()
    targets["inner51"]["known"][1:] = False
    targets["wflw98"]["known"][0] = False
    _terms(loss, points, targets, torch.ones(4))["loss"].backward()
    for scheme, missing in (("inner51", slice(1, 4)), ("wflw98", slice(0, 1))):
        gradient = points[scheme].grad
        assert gradient is not None
        assert float(gradient[missing].abs().max()) == 0
        assert float(gradient.abs().max()) > 0


def test_weights_are_proportional_and_a_rare_head_is_not_louder(loss: CrossFormatLoss) -> None:
    """The gradient of a face does not depend on the others of its batch, and doubles with its weight."""
    gradients = []
    for known, weight in (((0, 1, 2, 3), 1.0), ((0,), 1.0), ((0,), 2.0)):
        points, targets = _batch()
        targets["wflw98"]["known"][[i for i in range(4) if i not in known]] = False
        _terms(loss, points, targets, torch.tensor([weight, 1.0, 1.0, 1.0]))["loss"].backward()
        assert points["wflw98"].grad is not None
        gradients.append(points["wflw98"].grad[0])
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-9)
    assert torch.allclose(2 * gradients[1], gradients[2], rtol=1e-4, atol=1e-9)


def test_a_batch_without_any_label_is_finite(loss: CrossFormatLoss) -> None:
    points, targets = _batch()
    for target in targets.values():
        target["known"][:] = False
    terms = _terms(loss, points, targets, torch.zeros(4))
    terms["loss"].backward()
    assert all(float(value.detach()) == 0 for value in terms.values())
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in points.values())
