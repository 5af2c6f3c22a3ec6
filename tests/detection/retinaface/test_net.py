"""RetinaFace network: outputs in the order of the priors, costs of each width, free input sizes."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from distill.detection.retinaface.anchors import anchor_boxes
from distill.detection.retinaface.net import RetinaFace, RetinaFaceConfig
from distill.errors import ConfigError

# Parameters and multiply-accumulates for 320 x 320 pixels.
COSTS = {
    1.0: (1_877_303, 604_817_600),
    0.5: (507_785, 190_497_000),
    0.35: (268_927, 114_957_600),
    0.25: (145_149, 70_031_800),
}


@pytest.mark.parametrize("width", COSTS)
def test_parameters_and_operations(width: float) -> None:
    net = RetinaFace(RetinaFaceConfig(width=width)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, 320, 320))
    parameters, macs = COSTS[width]
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert counter.get_total_flops() // 2 == macs


@pytest.mark.parametrize("size", [(64, 96), (192, 192)])
def test_one_output_for_every_prior(size: tuple[int, int]) -> None:
    net = RetinaFace(RetinaFaceConfig(width=0.25)).eval()
    with torch.no_grad():
        raw = net(torch.rand(2, 3, *size))
    count = len(anchor_boxes(net.config.anchors, size[1], size[0]))
    assert raw.logits.shape == (2, count)
    assert raw.boxes.shape == (2, count, 4)
    assert raw.points.shape == (2, count, 10)
    # An untrained network gives every prior a low score, so that negatives do not fill the first steps.
    assert raw.logits.sigmoid().max() < 0.1


def test_outputs_and_priors_have_one_order() -> None:
    """The score of a prior depends most on the pixels around it."""
    net = RetinaFace(RetinaFaceConfig(width=0.25)).eval()
    images = torch.rand(1, 3, 64, 96, requires_grad=True)
    priors = anchor_boxes(net.config.anchors, 96, 64)
    first_map = (64 // 8) * (96 // 8) * net.config.anchors.per_cell
    index = first_map - 2 * net.config.anchors.per_cell - 40 * net.config.anchors.per_cell
    net(images).logits[0, index].backward()
    assert images.grad is not None
    strength = images.grad.abs().sum(dim=(0, 1))
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    centre = torch.stack([(strength * x).sum(), (strength * y).sum()]) / strength.sum()
    distance = (priors[:first_map, :2] - centre).norm(dim=1)
    assert float(distance[index]) < float(distance.median()) / 2


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="width multiplier"):
        RetinaFaceConfig(width=0.4)
    with pytest.raises(ConfigError, match="multiple of 4"):
        RetinaFaceConfig(pyramid=30)
