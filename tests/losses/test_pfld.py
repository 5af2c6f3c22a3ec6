"""PFLD's loss: the product of the paper, pose labels that follow the crop, and faces that say nothing."""

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.data.pose import head_points
from distill.landmarks import load_scheme
from distill.losses.pfld import PfldLoss
from distill.models import Prediction

SCHEME = load_scheme("ibug68")


def _faces(yaw: float, roll: float) -> Tensor:
    """The generated head, turned by yaw and then by roll (degrees), as seen in a crop."""
    points = head_points("ibug68")
    points = points - points.mean(0)
    a, b = np.deg2rad(yaw), np.deg2rad(roll)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    projected = (points @ about_y.T)[:, :2] * [1, -1]
    projected = projected @ np.array([[np.cos(b), np.sin(b)], [-np.sin(b), np.cos(b)]])  # clockwise on the screen
    return torch.tensor(projected / 25 + 0.5, dtype=torch.float32)


def _loss(predicted: Tensor, pose: Tensor | None, truth: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
    valid = torch.ones(truth.shape[:2], dtype=torch.bool) if valid is None else valid
    return PfldLoss(SCHEME)(Prediction(predicted, pose=pose), truth, valid)


TRUTH = torch.stack([_faces(30, 0), _faces(0, -20)])
LABELS = torch.deg2rad(torch.tensor([[30.0, 0, 0], [0, 0, -20]]))


def test_it_is_the_product_of_the_paper() -> None:
    """Squared distances summed over points, times 1 - cos summed over angles, mean over faces."""
    predicted = TRUTH + torch.tensor([0.03, 0.04])
    off = torch.tensor([[0.5, 0, 0], [0, 0.2, -0.1]])
    expected = 68 * 0.05**2 * (1 - torch.cos(off)).sum(1).mean()
    losses = _loss(predicted, LABELS + off, TRUTH)
    assert float(losses["loss"]) == pytest.approx(float(expected), rel=2e-3)
    assert float(losses["pose"]) == pytest.approx(float((1 - torch.cos(off)).mean()), rel=2e-3)
    assert losses["loss"] is losses["pfld"]


def test_without_a_pose_every_face_weighs_the_same() -> None:
    predicted = TRUTH + torch.tensor([0.03, 0.04])
    losses = _loss(predicted, None, TRUTH)
    assert float(losses["loss"]) == pytest.approx(68 * 0.05**2, rel=1e-4)
    assert "pose" not in losses


def test_labels_turn_with_the_crop_and_whole_turns_do_not_matter() -> None:
    predicted = TRUTH + 0.01
    right, turned = _loss(predicted, LABELS, TRUTH), _loss(predicted, LABELS + 2 * torch.pi, TRUTH)
    assert float(right["pose"]) < 1e-4
    assert float(turned["pose"]) == pytest.approx(float(right["pose"]), abs=1e-4)
    assert float(_loss(predicted, LABELS.flip(0), TRUTH)["pose"]) > 0.01


def test_going_downhill_helps_both_nets() -> None:
    predicted, pose = (TRUTH + 0.02).requires_grad_(), (LABELS + 0.3).requires_grad_()
    before = _loss(predicted, pose, TRUTH)["loss"]
    before.backward()
    assert predicted.grad is not None
    assert pose.grad is not None
    assert float(pose.grad.abs().max()) > 0
    after = _loss(predicted.detach() - 1e-2 * predicted.grad, pose.detach() - 1e-2 * pose.grad, TRUTH)["loss"]
    assert float(after) < float(before.detach())


def test_unknown_points_cost_nothing_and_give_no_label() -> None:
    """The stand-in of an unknown point must reach neither the distance nor the pose."""
    predicted, valid = TRUTH + 0.02, torch.ones(2, 68, dtype=torch.bool)
    valid[1, 40] = False
    strange = TRUTH.clone()
    strange[1, 40] = 9.0
    here, there = _loss(predicted, LABELS + 0.3, TRUTH, valid), _loss(predicted, LABELS + 0.3, strange, valid)
    assert float(here["loss"]) == pytest.approx(float(there["loss"]))
    pose = (LABELS + 0.3).requires_grad_()
    nothing = _loss(predicted.requires_grad_(), pose, TRUTH, torch.zeros(2, 68, dtype=torch.bool))["loss"]
    nothing.backward()
    assert float(nothing.detach()) == 0
    assert pose.grad is not None
    assert float(pose.grad.abs().max()) == 0


def test_faces_count_by_their_weight() -> None:
    predicted = TRUTH + torch.tensor([[[0.03, 0.04]], [[0.0, 0.0]]])
    weights = torch.tensor([[3.0], [1.0]]).expand(2, 68)
    assert float(_loss(predicted, None, TRUTH, weights)["loss"]) == pytest.approx(68 * 0.05**2 * 3 / 4, rel=1e-4)
