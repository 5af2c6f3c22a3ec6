"""RetinaFace network: the checks of every network for each width, outputs in the order of the priors, input sizes."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from distill.detection.retinaface.anchors import AnchorConfig, anchor_boxes
from distill.detection.retinaface.loss import DetectionLoss, Faces
from distill.detection.retinaface.net import RawDetections, RetinaFace, RetinaFaceConfig
from distill.detection.retinaface.net_file import NetFile
from distill.errors import ConfigError
from distill.export.detector import TorchMaps, export_detector_onnx
from distill.models.detector_checkpoint import DetectorSpec, load_detector, save_detector
from tests.support.zoo_tester import BaseTester, StatedCost

SIDE = 64
TOLERANCE = 1e-5


class RetinaFaceTester(BaseTester):
    """Checks of the detector with a width multiplier.

    Attributes:
        width: of MobileNetV2.
        parameters: weights of the detector.
        macs: multiply-accumulates for 320 x 320 pixels.
    """

    width: ClassVar[float]
    parameters: ClassVar[int]
    macs: ClassVar[int]

    def build(self) -> RetinaFace:
        return RetinaFace(RetinaFaceConfig(width=self.width))

    def input_side(self) -> int:
        return SIDE

    def outputs(self, predicted: RawDetections) -> list[Tensor]:
        count = len(anchor_boxes(AnchorConfig(), SIDE, SIDE))
        assert [values.shape for values in predicted] == [(2, count), (2, count, 4), (2, count, 10)]
        return list(predicted)

    def loss(self, predicted: RawDetections) -> Tensor:
        points = torch.tensor([[24.0, 20], [40, 20], [32, 28], [26, 36], [38, 36]])
        face = Faces(torch.tensor([[16.0, 8, 48, 44]]), torch.tensor([False]), points[None])
        return DetectionLoss(AnchorConfig())(predicted, [face, face], SIDE, SIDE)["loss"]

    def saved_and_loaded(self, net: nn.Module, path: Path) -> nn.Module:
        assert isinstance(net, RetinaFace)
        spec = DetectorSpec(self.width, net.config.pyramid_or_default, net.config.anchors)
        save_detector(path, net, spec)
        again, its_spec = load_detector(path)
        assert its_spec == spec
        return again

    def costs(self) -> Iterator[StatedCost]:
        yield StatedCost(self.build(), 320, self.parameters, self.macs)

    def test_onnx_predicts_the_same(self, net: RetinaFace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # onnxsim takes a second in a process of its own; tests/export/test_detector.py runs it.
        monkeypatch.setattr("distill.export.detector.simplify", onnx.load)
        exported = NetFile(export_detector_onnx(net, tmp_path / "net.onnx", SIDE))
        images = np.random.default_rng(0).integers(0, 255, (2, SIDE, SIDE, 3)).astype(np.uint8)
        images[1] //= 2
        expected = [TorchMaps(net)(image) for image in images]
        difference = np.abs(expected[0][1] - expected[1][1]).max()
        assert difference > 100 * TOLERANCE, "the net predicts the same for every image; parity proves nothing"
        for image, maps in zip(images, expected, strict=True):
            found = {output.shape: output for output in exported(image)}
            for output in maps:
                np.testing.assert_allclose(found[output.shape], output, atol=TOLERANCE)


class TestWidth100(RetinaFaceTester):
    width, parameters, macs = 1.0, 1_877_303, 604_817_600


class TestWidth050(RetinaFaceTester):
    width, parameters, macs = 0.5, 507_785, 190_497_000


class TestWidth035(RetinaFaceTester):
    width, parameters, macs = 0.35, 268_927, 114_957_600


class TestWidth025(RetinaFaceTester):
    width, parameters, macs = 0.25, 145_149, 70_031_800


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
