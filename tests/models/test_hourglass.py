"""Hourglass of one stack: sizes that its halvings divide, and maps at a quarter of the crop."""

import pytest
import torch

from distill.errors import ConfigError
from distill.models import create_model
from tests.support.zoo_tester import ZooTester


class TestHourglass(ZooTester):
    arch = "hourglass"
    size = 64


def test_every_level_of_the_hourglass_sees_half_the_size() -> None:
    net = create_model("hourglass", "five", width=16).eval()
    sizes: list[int] = []
    for module in net.modules():
        if isinstance(module, torch.nn.MaxPool2d):
            module.register_forward_hook(lambda _, args, out: sizes.append(out.shape[-1]))
    with torch.no_grad():
        maps = net(torch.rand(1, 3, 128, 128)).heatmaps
    assert sizes == [32, 16, 8, 4, 2]
    assert maps.shape[-2:] == (32, 32)


def test_sizes_that_cannot_be_halved_are_refused() -> None:
    net = create_model("hourglass", "five", width=16)
    with pytest.raises(ConfigError, match="96 x 96 px: this network needs multiples of 64"):
        net(torch.rand(1, 3, 96, 96))
