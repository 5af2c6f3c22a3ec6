"""Lite-HRNet: a block is a shuffle block, fusion is the paper's, costs are the published ones."""

from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.export.rewrites.rewrite import export_form
from distill.models import create_model
from distill.models.cards import load_cards
from distill.models.channel_weighting import ChannelWeighting, worked_on
from distill.models.fusion import ScafFusion, make_fusion
from distill.spec import ModelSpec
from tests.support.zoo_tester import NetworkTester, ZooTester, shaken, with_peaks

# A network of the same parts; the whole ones have a thousand nodes and more, which take minutes to convert.
SMALL = {"stem": 8, "width": 8, "modules": [1, 1, 1], "blocks": 1}


class TestLiteHRNet18(ZooTester):
    arch = "lite_hrnet_18"
    options: ClassVar = SMALL

    @pytest.fixture(scope="class")
    def net(self, spec: ModelSpec) -> nn.Module:
        torch.manual_seed(0)
        return with_peaks(shaken(create_model(spec.arch, spec.scheme, **spec.options)), spec.crop.size)


class TestLiteHRNetPlus10m(TestLiteHRNet18):
    arch = "lite_hrnet_plus_10m"


class TestLiteHRNetPlus30m(NetworkTester):  # converted, and with these options, it is the one above
    arch = "lite_hrnet_plus_30m"
    options: ClassVar = SMALL


def test_every_block_works_on_what_a_shuffle_brings_it() -> None:
    """Deal the channels out in reality and compare the halves."""
    cards = torch.arange(20)
    for step in range(7):
        assert torch.equal(worked_on(20, step), cards[10:])
        cards = cards.reshape(2, 10).T.reshape(-1)


def _shuffle_block(block: ChannelWeighting, branches: list[Tensor]) -> list[Tensor]:
    """Lite-HRNet's block with its data in motion: split, weigh, convolve, weigh, join, shuffle (fig. 3c)."""
    kept, taken = zip(*(x.chunk(2, 1) for x in branches), strict=True)
    size = taken[-1].shape[-1]
    pooled = torch.cat([nn.functional.adaptive_avg_pool2d(x, size) for x in taken], 1)
    weights = block.cross.expand(block.cross.squeeze(pooled)).split([x.shape[1] for x in taken], 1)
    out = []
    for i, (x, weight) in enumerate(zip(taken, weights, strict=True)):
        x = block.depthwise[i](x * nn.functional.interpolate(weight, size=x.shape[-2:]))
        spatial = block.spatial[i]
        x = x * spatial.expand(spatial.squeeze(nn.functional.adaptive_avg_pool2d(x, 1)))  # type: ignore[operator, union-attr]
        both = torch.cat([kept[i], x], 1)
        b, c, h, w = both.shape
        out.append(both.reshape(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w))
    return out


def _order(channels: int, step: int) -> Tensor:
    """Which channel, by its first position, a shuffling network has in each place."""
    order = torch.arange(channels)
    for _ in range(step):
        order = order.reshape(2, -1).T.reshape(-1)
    return order


def test_blocks_in_a_row_are_shuffle_blocks() -> None:
    torch.manual_seed(0)
    widths, starts = (12, 24, 48), (0, 3, 1)
    still = [torch.rand(2, c, 32 // 2**i, 32 // 2**i) for i, c in enumerate(widths)]
    moving = [x[:, _order(c, s)] for x, c, s in zip(still, widths, starts, strict=True)]
    for more in range(4):
        steps = [start + more for start in starts]
        block = shaken(ChannelWeighting(widths, steps)).eval()
        with torch.no_grad():
            moving, still = _shuffle_block(block, moving), block(still)  # type: ignore[arg-type]
        for shuffled, x, c, s in zip(moving, still, widths, steps, strict=True):
            torch.testing.assert_close(shuffled, x[:, _order(c, s + 1)])


def test_scaf_is_the_papers() -> None:
    """Source by source: mean over channels, resized; weights of the target's channels from its own means."""
    torch.manual_seed(0)
    widths = (8, 16, 32)
    fusion, branches = ScafFusion(widths, 4), [torch.rand(2, c, 16 // 2**i, 16 // 2**i) for i, c in enumerate(widths)]
    with torch.no_grad():
        fused = fusion(branches)
        for i, x in enumerate(branches):
            first, _, second, _ = fusion.attention[i]  # type: ignore[misc]
            expected = x
            for n, j in enumerate([j for j in range(3) if j != i]):
                inner, side = widths[i] // 4, x.shape[-1]
                rows, more = slice(n * inner, (n + 1) * inner), slice(n * widths[i], (n + 1) * widths[i])
                hidden = (x.mean((2, 3)) @ first.weight[rows, :, 0, 0].T + first.bias[rows]).relu()
                weight = (hidden @ second.weight[more, :, 0, 0].T + second.bias[more]).sigmoid()
                mean = branches[j].mean(1, keepdim=True)
                resize = nn.functional.adaptive_avg_pool2d if j < i else nn.functional.interpolate
                expected = expected + resize(mean, (side, side)) * weight[..., None, None]  # type: ignore[operator]
            torch.testing.assert_close(fused[i], expected.relu())


@pytest.mark.parametrize("name", ["scaf", "conv", "bottleneck", "group"])
def test_fusions_of_the_ablation_reach_every_branch(name: str) -> None:
    torch.manual_seed(0)
    widths = (8, 16, 32)
    fusion = make_fusion(name, widths, 4)
    branches = [torch.rand(2, c, 16 // 2**i, 16 // 2**i, requires_grad=True) for i, c in enumerate(widths)]
    for i, fused in enumerate(fusion(branches)):
        assert fused.shape == branches[i].shape
        for gradient in torch.autograd.grad(fused.square().sum(), branches, retain_graph=True):
            assert float(gradient.abs().max()) > 0


@pytest.mark.parametrize("fusion", ["scaf", "conv", "bottleneck", "group"])
def test_the_exported_form_says_the_same(fusion: str) -> None:
    torch.manual_seed(0)
    net = with_peaks(shaken(create_model("lite_hrnet_plus_10m", "five", **SMALL, fusion=fusion)), 96)
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(export_form(net)(images).landmarks, net(images).landmarks, atol=1e-5, rtol=0)


def test_costs_are_the_published_ones() -> None:
    """Within a percent, of parameters and of multiply-accumulates, at 68 points."""
    rows = {(row.arch, row.scheme): row for row in load_cards()["lite_hrnet_plus_10m"].counts if not row.options}
    for arch, parameters, macs in (("lite_hrnet_plus_10m", 0.37e6, 10.25e6), ("lite_hrnet_plus_30m", 1.51e6, 30.27e6)):
        row = rows[arch, "ibug68"]
        assert row.parameters == pytest.approx(parameters, rel=0.01)
        assert row.macs == pytest.approx(macs, rel=0.001)


def test_mistakes_are_one_line() -> None:
    with pytest.raises(ConfigError, match="unknown fusion 'scav': did you mean 'scaf'"):
        create_model("lite_hrnet_plus_10m", "five", fusion="scav")
    with pytest.raises(ConfigError, match="stem 24 and width 27 are cut in halves: take even ones"):
        create_model("lite_hrnet_plus_10m", "five", width=27)
    with pytest.raises(ConfigError, match="unknown decode 'qarter': did you mean 'quarter'"):
        create_model("lite_hrnet_plus_10m", "five", decode="qarter")
    with pytest.raises(ConfigError, match=r"modules \[3, 2\] and blocks 3: three stages"):
        create_model("lite_hrnet_plus_10m", "five", modules=[3, 2])
    with pytest.raises(ConfigError, match="modul"):
        create_model("lite_hrnet_plus_10m", "five", modul=1)
    with pytest.raises(ConfigError, match="crops of 100 x 100 px: this network needs multiples of 32"):
        create_model("lite_hrnet_plus_10m", "five", **SMALL)(torch.rand(1, 3, 100, 100))
