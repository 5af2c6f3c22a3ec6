"""PIPNet: the paper's count, decoding in the best cell, and neighbours that vote."""

import pytest
import torch

from distill.errors import ConfigError
from distill.models import create_model
from distill.models.pipnet import PipHead, merge_weights, nearest_landmarks
from tests.support.zoo_tester import NetworkTester, ZooTester


class TestPipnetMobileNetV3(ZooTester):
    """At its own size: a file of 128 px ran where one of 256 px did not."""

    arch = "pipnet_mobilenet_v3"


class TestPipnetMobileNetV3Small(NetworkTester):  # the head above behind other backbones of timm
    arch = "pipnet_mobilenet_v3_small_050"
    size = 128


class TestPipnetResNet18(NetworkTester):
    arch = "pipnet_resnet18"
    size = 128


def test_neighbours_are_near_and_never_the_point_itself() -> None:
    neighbours = nearest_landmarks("ibug68", 4)
    assert all(landmark not in row for landmark, row in enumerate(neighbours))
    assert set(neighbours[36]) & {37, 41}  # the outer corner of an eye and its lids
    assert all(17 <= index <= 26 or 36 <= index <= 47 or index >= 27 for index in neighbours[38])
    assert len(nearest_landmarks("five")[0]) == 4  # no more than there are


def test_every_prediction_of_a_landmark_weighs_the_same() -> None:
    weights = merge_weights([[1], [2], [1]])
    assert weights.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [0, pytest.approx(1 / 3), 0, pytest.approx(1 / 3), 0, pytest.approx(1 / 3)],
        [0, 0, 0.5, 0, 0.5, 0],
    ]


def test_a_landmark_is_decoded_in_its_best_cell() -> None:
    """Two landmarks, each the other's neighbour, on a map of 2 x 4 cells."""
    head = PipHead(1, [[1], [0]])
    with torch.no_grad():
        for conv, weights in (
            (head.score, [1.0, -1.0]), (head.x, [0.0, 0.0]), (head.y, [0.0, 0.0]),
            (head.near_x, [0.0, 0.0]), (head.near_y, [0.0, 0.0]),
        ):  # fmt: skip
            conv.weight.copy_(torch.tensor(weights).view(-1, 1, 1, 1))
        head.x.bias.copy_(torch.tensor([0.5, 0.25]))
        head.near_x.bias.copy_(torch.tensor([-2.25, 3.0]))  # each as the other sees it
    features = torch.zeros(1, 1, 2, 4)
    features[0, 0, 1, 3], features[0, 0, 0, 1] = 1, -1  # cells of the first and of the second landmark
    (first, second) = head(features).landmarks[0].tolist()
    assert first == [pytest.approx((3.5 + 4.0) / 2 / 4), pytest.approx((1 + 0) / 2 / 2)]
    assert second == [pytest.approx((1.25 + 0.75) / 2 / 4), pytest.approx((0 + 1) / 2 / 2)]


def test_schemes_without_a_face_are_refused(tmp_path: object) -> None:
    with pytest.raises(ConfigError, match="unknown"):
        create_model("pipnet_mobilenet_v3", "no_scheme")
