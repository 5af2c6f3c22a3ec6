"""MobileNetV2 that regresses coordinates: operations as the Lite-HRNet Plus paper counts them, heads of two schemes."""

from typing import Any

import torch
from torch import Tensor, nn

from distill.models import create_model
from distill.models.regression import every_head
from tests.support.zoo_tester import ZooTester


class TestWingMobileNetV2(ZooTester):
    arch = "wing_mobilenet_v2"


def _operations(layer: nn.Module, x: Tensor, y: Tensor) -> int:
    """Count as the tools do that add norms and activations: two operations a value of a norm, one of the others."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        return y.numel() * layer.weight[0].numel() + (0 if layer.bias is None else y.numel())
    if isinstance(layer, nn.BatchNorm2d):
        return 2 * x.numel()
    if isinstance(layer, nn.ReLU6 | nn.AdaptiveAvgPool2d):
        return max(x.numel(), y.numel())
    return 0


def test_operations_are_those_of_the_paper() -> None:
    """Table 1 states 41.56 M, more than any count of convolutions and linear layers of this network."""
    net, counted = create_model("wing_mobilenet_v2", "wflw98").eval(), list[int]()

    def count(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        counted.append(_operations(layer, inputs[0], output) if isinstance(output, Tensor) else 0)

    for layer in net.modules():
        layer.register_forward_hook(count)
    with torch.no_grad():
        net(torch.zeros(1, 3, 96, 96))
    assert sum(counted) == 41_559_492


def test_further_schemes_have_heads_of_their_own() -> None:
    net = create_model("wing_mobilenet_v2", "ibug68", image_size=64, others=["five"], uncertainty=True).eval()
    with torch.no_grad():
        predictions = every_head(net, "ibug68", torch.rand(1, 3, 64, 64))
    assert {name: tuple(p.landmarks.shape) for name, p in predictions.items()} == {
        "ibug68": (1, 68, 2),
        "five": (1, 5, 2),
    }
    assert predictions["ibug68"].sigmas is not None
    assert predictions["five"].sigmas is None
