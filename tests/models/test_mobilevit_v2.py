"""The heatmap students through the tests of the zoo; the wider ones cost minutes to convert and are counted only."""

import numpy as np
import pytest
from torch import nn

from distill.bench.complexity import complexity
from distill.export.pipeline import ExportResult
from distill.models import create_model
from distill.models.cards import load_cards
from distill.spec import ModelSpec
from tests.support.zoo_tester import ZooTester


class TestMobileViT050(ZooTester):
    """The conversion that other tests use, too."""

    arch = "mobilevit_v2_050"

    @pytest.fixture(scope="class")
    def spec(self, spec: ModelSpec) -> ModelSpec:
        return spec

    @pytest.fixture(scope="class")
    def net(self, net: nn.Module) -> nn.Module:
        return net

    @pytest.fixture(scope="class")
    def crops(self, crops: np.ndarray) -> np.ndarray:
        return crops

    @pytest.fixture(scope="class")
    def conversion(self, exported: ExportResult) -> ExportResult:
        return exported


@pytest.mark.parametrize("arch", sorted(name for name in load_cards() if name.startswith("mobilevit")))
def test_every_width_costs_what_its_card_says(arch: str) -> None:
    rows = [row for row in load_cards()[arch].counts if row.arch == arch]
    assert rows
    for row in rows:
        cost = complexity(create_model(row.arch, row.scheme, **row.options), row.size)
        assert (cost.parameters, cost.macs) == (row.parameters, row.macs)
