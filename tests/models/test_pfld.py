"""PFLD: the counts that settle its wiring, and a pose net that is there in training only."""

from typing import ClassVar

import pytest
import torch
from torch import nn

from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.losses.supervised import make_loss
from distill.models import create_model
from distill.models.pfld import InvertedResidual, PfldNet
from tests.support.zoo_tester import NetworkTester, ZooTester


class TestPfld025(ZooTester):
    arch = "pfld_025"


class TestPfld100(NetworkTester):  # the one above with four times its channels
    arch = "pfld_100"


class TestPfldWithPose(NetworkTester):  # converted it is the one above: the pose net only trains
    arch = "pfld_025"
    options: ClassVar = {"pose": True}


def _with_statistics(net: nn.Module) -> int:
    """Count as the thesis does: the statistics of a batch norm are parameters too."""
    statistics = sum(
        value.numel() for name, value in net.named_buffers() if name.endswith(("running_mean", "running_var"))
    )
    return statistics + sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(("arch", "count"), [("pfld_025", 322_864), ("pfld_100", 1_236_544)])
def test_counts_are_those_of_the_thesis(arch: str, count: int) -> None:
    assert _with_statistics(create_model(arch, "ibug68")) == count


def test_maps_are_those_of_the_paper() -> None:
    net = create_model("pfld_100", "inner51").eval()
    shapes: list[tuple[int, ...]] = []
    for module in net.modules():
        if isinstance(module, InvertedResidual):
            module.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    net(torch.rand(1, 3, 112, 112))
    assert shapes == [(64, 28, 28)] * 5 + [(128, 14, 14)] * 7 + [(16, 14, 14)]


def test_the_pose_net_is_gone_in_evaluation() -> None:
    """It must neither run nor be exported, and must not change the predictions of the network."""
    torch.manual_seed(0)
    net, images = create_model("pfld_025", "inner51", pose=True, others=["ibug68"]), torch.rand(2, 3, 112, 112)
    assert isinstance(net, PfldNet)
    assert net.pose is not None
    outputs = net.train().every_head(images)
    assert outputs["inner51"].pose is not None
    assert outputs["inner51"].pose.shape == (2, 3)
    assert outputs["ibug68"].pose is None
    calls: list[int] = []
    net.pose.register_forward_hook(lambda *_: calls.append(1))
    plain = create_model("pfld_025", "inner51", others=["ibug68"]).eval()
    state = {name: value for name, value in net.state_dict().items() if not name.startswith("pose.")}
    plain.load_state_dict(state)
    with torch.no_grad():
        here, there = net.eval()(images), plain(images)
    assert here.pose is None
    assert not calls
    assert torch.equal(here.landmarks, there.landmarks)


def test_its_loss_teaches_the_pose_net() -> None:
    """The product of both errors must have a gradient in both nets."""
    net = create_model("pfld_025", "inner51", pose=True).train()
    assert isinstance(net, PfldNet)
    truth = torch.rand(2, 51, 2) * 0.6 + 0.2
    losses = make_loss("pfld", load_scheme("inner51"))(net(torch.rand(2, 3, 112, 112)), truth, torch.ones(2, 51))
    losses["loss"].backward()
    for part in (net.pose, net.body.stem, net.head):
        assert part is not None
        assert any(float(weight.grad.abs().max()) > 0 for weight in part.parameters() if weight.grad is not None)


def test_mistakes_are_one_line() -> None:
    with pytest.raises(ConfigError, match="image_size 100 of pfld_100 is no multiple of 16: take 96"):
        create_model("pfld_100", "inner51", image_size=100)
    with pytest.raises(ConfigError, match=r"96 x 96 px: the network is made for 112 px"):
        create_model("pfld_025", "inner51").eval()(torch.rand(1, 3, 96, 96))
    with pytest.raises(ConfigError, match=r"pose: no labels for it .*take --model.options '{pose: false}'"):
        create_model("pfld_025", "cofw29", pose=True)
