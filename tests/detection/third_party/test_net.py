"""Files of other projects: recognised inputs and outputs, and what each layout is given."""

from pathlib import Path

import numpy as np
import pytest

from distill.detection.third_party import net as module
from distill.detection.third_party.net import ThirdPartyNet
from distill.errors import CheckpointError
from tests.support.third_party_files import SCRFD, YUNET, white_cell, write_net, write_scrfd, write_yunet


def test_fixed_and_free_inputs(tmp_path: Path) -> None:
    fixed, free = ThirdPartyNet(write_yunet(tmp_path / "yunet.onnx")), ThirdPartyNet(write_scrfd(tmp_path / "s.onnx"))
    assert (fixed.layout.name, fixed.fixed) == ("YuNet", (64, 64))
    assert (free.layout.name, free.fixed) == ("SCRFD", None)
    (box,) = fixed(white_cell(64, 64, 2, 3), 0.9).boxes
    np.testing.assert_allclose(box, [20 - 12.5, 28 - 16.5, 20 + 11.5, 28 + 15.5], atol=1e-4)
    found = free(white_cell(96, 32, 5, 1), 0.9)
    np.testing.assert_allclose(found.boxes, [[40 - 8.5, 8 - 12.5, 40 + 15.5, 8 + 19.5]] * 2, atol=1e-4)
    assert found.scores == pytest.approx([1, 1], abs=1e-3)


def test_files_without_points(tmp_path: Path) -> None:
    parts = {name: values for name, values in SCRFD.items() if name != "kps"}
    net = ThirdPartyNet(write_net(tmp_path / "s.onnx", parts, None, anchors=2))
    assert net.layout.name == "SCRFD without points"


def test_tflite_has_channels_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class BlueLevel:
        """Stands for YuNet in TFLite: every score is the mean of the first channel, which YuNet reads as blue."""

        def __init__(self, path: Path, threads: int) -> None:
            self.input_shape = (1, 32, 32, 3)

        def __call__(self, image: np.ndarray) -> list[np.ndarray]:
            assert image.shape == self.input_shape
            level = image[..., 0].mean() / 255
            outputs = [np.zeros((1, n, c), np.float32) for n in (16, 4, 1) for c in (1, 4, 1, 10)]
            return [output + level if output.shape[2] == 1 else output for output in outputs]

    monkeypatch.setattr(module, "TFLiteNet", BlueLevel)
    net = ThirdPartyNet(tmp_path / "yunet.tflite")
    assert (net.layout.name, net.fixed) == ("YuNet", (32, 32))
    assert len(net(np.full((32, 32, 3), (0, 0, 255), np.uint8), 0.9).boxes) == 21
    assert len(net(np.full((32, 32, 3), (255, 255, 0), np.uint8), 0.9).boxes) == 0


def test_unknown_outputs_are_listed_with_the_known_layouts(tmp_path: Path) -> None:
    parts = {name: values for name, values in YUNET.items() if name != "obj"}
    message = "input 1x3x64x64, outputs cls_8 1x64x1, cls_16 1x16x1"
    with pytest.raises(CheckpointError, match=rf"no known detector: {message}.*YuNet \(12.*SCRFD \(9.*UltraFace \(2"):
        ThirdPartyNet(write_net(tmp_path / "other.onnx", parts))


def test_files_that_take_no_image(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"its input is 1x3x16x16, no image"):
        ThirdPartyNet(write_yunet(tmp_path / "small.onnx", side=16))
    with pytest.raises(CheckpointError, match="no such detector file"):
        ThirdPartyNet(tmp_path / "missing.onnx")
