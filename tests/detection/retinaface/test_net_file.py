"""A detector file keeps an interpreter for each of the sizes that a photo needs."""

import numpy as np
import pytest

from distill.detection.detector import bundled_detector
from distill.detection.retinaface.net_file import NetFile
from distill.tflite.interpreter import TFLiteNet


def test_alternating_sizes_are_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning the graph again for each view took two of eight milliseconds a photo."""
    planned = []
    resize = TFLiteNet.resize

    def counted(self: TFLiteNet, height: int, width: int) -> None:
        if (1, height, width, 3) != self.input_shape:
            planned.append((height, width))
        resize(self, height, width)

    monkeypatch.setattr(TFLiteNet, "resize", counted)
    net = NetFile(bundled_detector())
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (side, 64, 3)).astype(np.uint8) for side in (32, 64, 96)]
    first = [net(image) for image in images]
    again = [net(image) for image in images]
    assert planned == [(32, 64), (64, 64), (96, 64)]
    for before, after in zip(first, again, strict=True):
        for left, right in zip(before, after, strict=True):
            np.testing.assert_array_equal(left, right)


def test_old_sizes_are_given_up() -> None:
    """Photos of many shapes must not fill the memory with interpreters."""
    net = NetFile(bundled_detector())
    for side in range(32, 32 * 9, 32):
        net(np.zeros((side, 32, 3), np.uint8))
    assert len(net._by_size) == 4
