"""Losses on coordinates: the numbers of their papers, and faces that say nothing."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.losses.points import POINT_LOSSES, PointLoss, wing
from distill.metrics.functional import nme_per_face, normaliser
from distill.models import Prediction

SCHEME = load_scheme("inner51")
K = SCHEME.n_points


def _faces(seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    truth = torch.rand(3, K, 2, generator=rng) * 0.6 + 0.2
    return truth + 0.05 * torch.randn(3, K, 2, generator=rng), truth


def _loss(kind: str, predicted: Tensor, truth: Tensor, valid: Tensor | None = None) -> Tensor:
    valid = torch.ones(truth.shape[:2], dtype=torch.bool) if valid is None else valid
    return PointLoss(kind, SCHEME)(Prediction(predicted), truth, valid)["loss"]


def test_nme_is_the_number_that_is_measured() -> None:
    predicted, truth = _faces()
    expected = nme_per_face(predicted, truth, normaliser(SCHEME, truth, "ocular", None)).mean()
    assert float(_loss("nme", predicted, truth)) == pytest.approx(float(expected), rel=1e-5)


def test_wing_is_that_of_the_paper() -> None:
    """w = 10 px, epsilon = 2 px: 10 ln(1 + x / 2) below 10 px, x - (10 - 10 ln 6) above; in a crop of 256 px."""
    for pixels, expected in ((1.0, 10 * 0.4054651), (4.0, 10 * 1.0986123), (30.0, 30 - (10 - 10 * 1.7917595))):
        both = torch.full((1, 1, 2), pixels / 256)
        assert float(wing(both, torch.zeros(1, 1, 2))) * 256 == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", POINT_LOSSES)
def test_going_downhill_helps_and_the_truth_costs_nothing(kind: str) -> None:
    predicted, truth = _faces()
    predicted.requires_grad_()
    loss = _loss(kind, predicted, truth)
    loss.backward()
    assert predicted.grad is not None
    step = predicted.detach() - 1e-3 * predicted.grad / predicted.grad.norm()
    assert float(_loss(kind, step, truth)) < float(loss.detach())
    assert float(_loss(kind, truth, truth)) == pytest.approx(0, abs=2e-5)


@pytest.mark.parametrize("kind", POINT_LOSSES)
def test_points_outside_the_crop_count_and_unknown_ones_do_not(kind: str) -> None:
    predicted, truth = _faces()
    outside = truth.clone()
    outside[0, 7] = torch.tensor([1.4, 0.5])
    assert float(_loss(kind, predicted, outside)) > float(_loss(kind, predicted, truth))
    known = torch.ones(3, K, dtype=torch.bool)
    known[0, 7] = known[2] = False
    further = outside.clone()
    further[0, 7], further[2] = torch.tensor([9.0, 9.0]), 0.0
    assert float(_loss(kind, predicted, outside, known)) == float(_loss(kind, predicted, further, known))


@pytest.mark.parametrize("kind", POINT_LOSSES)
def test_a_batch_without_known_points_has_a_finite_gradient(kind: str) -> None:
    predicted, truth = _faces()
    predicted.requires_grad_()
    loss = _loss(kind, predicted, torch.zeros_like(truth), torch.zeros(3, K, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert predicted.grad is not None
    assert float(predicted.grad.abs().max()) == 0


def test_nme_needs_eyes() -> None:
    with pytest.raises(ConfigError, match=r"--loss.name nme: scheme blind has no eyes to measure by; take wing"):
        PointLoss("nme", replace(SCHEME, name="blind", ocular=None, pupil=None))
    PointLoss("wing", replace(SCHEME, name="blind", ocular=None, pupil=None))


def test_nme_of_a_face_whose_eyes_nobody_marked_does_not_count() -> None:
    """Its distance would be that of stand-ins."""
    predicted, truth = _faces()
    corner = SCHEME.ocular[0][0]
    valid = torch.ones(3, K)
    valid[1, corner] = 0
    both = _loss("nme", predicted[[0, 2]], truth[[0, 2]], torch.ones(2, K))
    assert float(_loss("nme", predicted, truth, valid)) == pytest.approx(float(both), rel=1e-6)
    assert float(_loss("wing", predicted, truth, valid)) != pytest.approx(
        float(_loss("wing", predicted[[0, 2]], truth[[0, 2]])), rel=1e-3
    )
