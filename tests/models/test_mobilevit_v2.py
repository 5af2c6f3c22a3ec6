"""The heatmap students through the tests of the zoo; the wider ones cost minutes to convert and are counted only."""

import pytest

from distill.bench.complexity import complexity
from distill.models import create_model
from distill.models.cards import load_cards
from tests.support.zoo_tester import ZooTester


class TestMobileViT050(ZooTester):
    arch = "mobilevit_v2_050"
    size = 128


@pytest.mark.parametrize("arch", sorted(name for name in load_cards() if name.startswith("mobilevit")))
def test_every_width_costs_what_its_card_says(arch: str) -> None:
    rows = [row for row in load_cards()[arch].counts if row.arch == arch]
    assert rows
    for row in rows:
        cost = complexity(create_model(row.arch, row.scheme, **row.options), row.size)
        assert (cost.parameters, cost.macs) == (row.parameters, row.macs)
