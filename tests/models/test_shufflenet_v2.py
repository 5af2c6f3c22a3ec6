"""ShuffleNetV2: the published weights of torchvision fit, and every neck has its features."""

import pytest
import torch
from torchvision import models

from distill.errors import ConfigError
from distill.models import create_model
from tests.support.zoo_tester import ZooTester


class TestShuffleNetV2(ZooTester):
    arch = "shufflenet_v2_100"
    size = 64


@pytest.mark.parametrize("name", ["shufflenet_v2_050", "shufflenet_v2_150", "shufflenet_v2_200"])
@pytest.mark.parametrize("neck", ["deconv", "nearest", "pyramid"])
def test_every_width_and_neck_makes_maps_of_a_quarter(name: str, neck: str) -> None:
    net = create_model(name, "five", width=16, neck=neck).eval()
    with torch.no_grad():
        assert net(torch.rand(1, 3, 96, 96)).heatmaps.shape == (1, 5, 24, 24)


def test_torchvisions_weights_fit_by_name() -> None:
    published = models.shufflenet_v2_x1_0(weights=None).state_dict()
    body = create_model("shufflenet_v2_100", "five").backbone
    left = body.load_state_dict(published, strict=False)
    assert not left.missing_keys
    assert {key.partition(".")[0] for key in left.unexpected_keys} == {"conv5", "fc"}


def test_features_are_those_of_torchvision() -> None:
    torch.manual_seed(0)
    published = models.shufflenet_v2_x1_0(weights=None).eval()
    body = create_model("shufflenet_v2_100", "five").backbone.eval()
    body.load_state_dict(published.state_dict(), strict=False)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = published.stage3(published.stage2(published.maxpool(published.conv1(images))))
        torch.testing.assert_close(body(images)[2], expected)


def test_unknown_necks_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown neck 'piramid': did you mean 'pyramid'"):
        create_model("shufflenet_v2_100", "five", neck="piramid")
