"""HRNet-W18: the count of the authors' face network, and its decoders."""

from collections.abc import Iterator

import pytest
import torch
from timm.models.hrnet import cfg_cls
from torch import nn

from distill.export.rewrites.rewrite import export_form
from distill.models import create_model
from distill.spec import ModelSpec
from tests.support.zoo_tester import ZooTester, shaken, with_peaks

WHOLE = cfg_cls["hrnet_w18"]
# The stages of three and four modules alike with one of them: a conversion of all eight hundred nodes takes long.
SHORT = WHOLE | {stage: WHOLE[stage] | {"num_modules": 1} for stage in ("stage3", "stage4")}


class TestHRNetW18(ZooTester):
    arch = "hrnet_w18"
    size = 64  # of any multiple of 32; 256 px take minutes on a CPU

    @pytest.fixture(scope="class", autouse=True)
    def short(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(cfg_cls, "hrnet_w18", SHORT)
            yield

    @pytest.fixture(scope="class")
    def net(self, spec: ModelSpec) -> nn.Module:
        torch.manual_seed(0)
        return with_peaks(shaken(create_model(spec.arch, spec.scheme)), spec.crop.size)

    def test_it_costs_what_is_stated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(cfg_cls, "hrnet_w18", WHOLE)
        super().test_it_costs_what_is_stated()


def test_count_is_that_of_the_face_network() -> None:
    """9,654,398 weights for 68 points, 9,688,874 with the statistics of batch norms."""
    net = create_model("hrnet_w18", "ibug68")
    parameters = sum(parameter.numel() for parameter in net.parameters())
    statistics = sum(
        value.numel() for name, value in net.named_buffers() if name.endswith(("running_mean", "running_var"))
    )
    assert (parameters, parameters + statistics) == (9_654_398, 9_688_874)


def test_maps_are_a_quarter_of_the_crop() -> None:
    net = create_model("hrnet_w18", "five").eval()
    with torch.no_grad():
        assert net(torch.rand(1, 3, 96, 64)).heatmaps.shape == (1, 5, 24, 16)


def test_quarter_offsets_are_decoded_and_exported() -> None:
    torch.manual_seed(0)
    net = with_peaks(shaken(create_model("hrnet_w18", "five", decode="quarter")), 64)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        outputs, shipped = net(images), export_form(net)(images)
    assert torch.equal(outputs.landmarks, shipped.landmarks)
    assert torch.equal(outputs.confidence, shipped.confidence)
    assert outputs.heatmaps is not None
    for maps, points in zip(outputs.heatmaps.flatten(0, 1), outputs.landmarks.flatten(0, 1), strict=True):
        row, column = divmod(int(maps.argmax()), 16)
        padded = torch.nn.functional.pad(maps, (1, 1, 1, 1))
        dx = (padded[row + 1, column + 2] - padded[row + 1, column]).sign() / 4
        dy = (padded[row + 2, column + 1] - padded[row, column + 1]).sign() / 4
        expected = torch.stack([column + 0.5 + dx, row + 0.5 + dy]) / 16
        torch.testing.assert_close(points, expected, atol=1e-5, rtol=0)
