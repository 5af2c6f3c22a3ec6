"""Annotations with fewer points than a network predicts: they train the points they are computed from."""

import numpy as np
import pytest
import torch

from distill.landmarks import convert, load_scheme
from distill.losses.cross_format import CrossFormatLoss
from distill.losses.derived import DerivedPointLoss
from distill.losses.points import PointLoss
from distill.losses.supervised import make_loss
from distill.models import Prediction


def _points(count: int, k: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, k, 2, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("target", ["five", "inner51"])
@pytest.mark.parametrize("name", ["maps", "nme", "l1"])
def test_no_loss_where_the_converted_prediction_is_the_annotation(name: str, target: str) -> None:
    predicted = _points(3, 68)
    truth = torch.from_numpy(convert(predicted.numpy(), "ibug68", target))
    loss = DerivedPointLoss("ibug68", target, name)
    valid = torch.ones(truth.shape[:2])
    assert float(loss(Prediction(predicted), truth, valid)["loss"]) < 1e-4
    assert float(loss(Prediction(predicted), truth + 0.1, valid)["loss"]) > 0.05


def test_only_points_that_the_annotation_follows_from_have_a_gradient() -> None:
    predicted = _points(2, 68).requires_grad_()
    valid = torch.ones(2, 5)
    valid[0, 0] = 0  # the centre of one eye is not annotated in the first face
    DerivedPointLoss("ibug68", "five", "maps")(Prediction(predicted), _points(2, 5, 1), valid)["loss"].backward()
    assert predicted.grad is not None
    moved = predicted.grad.abs().sum(-1) > 0
    eye, rest = np.arange(36, 42), np.r_[30, 42:48, 48, 54]
    assert not moved[0, eye].any()
    assert moved[1, eye].all()
    assert moved[:, rest].all()
    assert int(moved.sum()) == 2 * len(rest) + len(eye)


def test_of_a_network_of_points_it_is_its_own_loss() -> None:
    predicted, truth = _points(4, 68), _points(4, 5, 1)
    converted = torch.from_numpy(convert(predicted.numpy(), "ibug68", "five"))
    plain = PointLoss("nme", load_scheme("five"))(Prediction(converted), truth, torch.ones(4, 5))["loss"]
    derived = DerivedPointLoss("ibug68", "five", "nme")(Prediction(predicted), truth, torch.ones(4, 5))["loss"]
    assert float(derived) == pytest.approx(float(plain), rel=1e-5)


def test_it_is_a_term_beside_that_of_the_main_head() -> None:
    main = make_loss("l1", load_scheme("ibug68"))
    loss = CrossFormatLoss({"ibug68": main}, {"five": DerivedPointLoss("ibug68", "five", "l1")})
    predicted = _points(2, 68).requires_grad_()
    full = {"landmarks": _points(2, 68, 1), "known": torch.tensor([[True] * 68, [False] * 68])}
    five = {"landmarks": _points(2, 5, 2), "known": torch.tensor([[False] * 5, [True] * 5])}
    terms = loss({"ibug68": Prediction(predicted)}, {"ibug68": full, "five": five}, torch.ones(2))
    assert set(terms) == {"ibug68", "five", "loss"}
    terms["loss"].backward()
    assert predicted.grad is not None
    assert (predicted.grad[0].abs().sum(-1) > 0).all()
    assert int((predicted.grad[1].abs().sum(-1) > 0).sum()) == 15, "two eyes of six points, nose, corners of the mouth"
