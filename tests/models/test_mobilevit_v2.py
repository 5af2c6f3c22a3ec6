"""The heatmap students through the tests of the zoo; the wider ones cost minutes to convert and are counted only."""

import numpy as np
import pytest
import torch
from torch import nn

from distill.bench.complexity import complexity
from distill.models import create_model
from distill.models.cards import load_cards
from distill.spec import ModelSpec
from tests.support.zoo_tester import NetworkTester


class TestMobileViT050(NetworkTester):
    arch = "mobilevit_v2_050"
    size = 128


def test_the_converted_network_depends_on_its_input(net: nn.Module, spec: ModelSpec, crops: np.ndarray) -> None:
    """tests/export compares the files of this network with PyTorch; equal outputs for all crops would prove nothing."""
    with torch.no_grad():
        points = net(torch.from_numpy(crops).permute(0, 3, 1, 2)).landmarks * spec.crop.size
    assert float((points[0] - points[1]).abs().max()) > 0.5


@pytest.mark.parametrize("arch", sorted(name for name in load_cards() if name.startswith("mobilevit")))
def test_every_width_costs_what_its_card_says(arch: str) -> None:
    rows = [row for row in load_cards()[arch].counts if row.arch == arch]
    assert rows
    for row in rows:
        cost = complexity(create_model(row.arch, row.scheme, **row.options), row.size)
        assert (cost.parameters, cost.macs) == (row.parameters, row.macs)
