"""Prior boxes."""

import pytest
import torch

from distill.detection.retinaface.anchors import AnchorConfig, anchor_boxes
from distill.errors import ConfigError


def test_first_and_last_prior() -> None:
    config = AnchorConfig(strides=(8, 16), sizes=((10.0, 20.0), (40.0, 80.0)))
    boxes = anchor_boxes(config, 64, 32)
    assert boxes.shape == (2 * (8 * 4 + 4 * 2), 4)
    # Cell 0 of stride 8 covers pixels 0 to 7, whose middle is 3.5.
    assert torch.equal(boxes[:3], torch.tensor([[3.5, 3.5, 10, 10], [3.5, 3.5, 20, 20], [11.5, 3.5, 10, 10]]))
    assert torch.equal(boxes[-1], torch.tensor([55.5, 23.5, 80, 80]))


def test_sides_must_fit() -> None:
    with pytest.raises(ConfigError, match="multiples of 32"):
        anchor_boxes(AnchorConfig(), 320, 200)


def test_sizes_must_fit_the_strides() -> None:
    with pytest.raises(ConfigError, match="2 strides"):
        AnchorConfig(strides=(8, 16), sizes=((10.0,),))
    with pytest.raises(ConfigError, match="same number"):
        AnchorConfig(strides=(8, 16), sizes=((10.0,), (20.0, 30.0)))
