"""Networks on timm backbones by name: `timm:NAME`."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from distill.errors import ConfigError
from distill.export.to_onnx import export_onnx
from distill.geometry import CropSpec
from distill.models import create_model
from distill.models.zoo import input_size, zoo_entry
from distill.spec import ModelSpec


@pytest.mark.parametrize("backbone", ["mobilenetv3_small_050", "resnet18", "efficientnet_lite0", "convnext_atto"])
def test_any_backbone_with_four_strides_predicts_landmarks(backbone: str) -> None:
    net = create_model(f"timm:{backbone}", "inner51", width=16).eval()
    with torch.no_grad():
        prediction = net(torch.rand(2, 3, 64, 64))
    assert prediction.landmarks.shape == (2, 51, 2)
    assert prediction.heatmaps.shape == (2, 51, 16, 16)


def test_backbones_of_one_size_are_built_for_the_crop() -> None:
    arch = "timm:swin_tiny_patch4_window7_224"
    assert zoo_entry(arch).size == 224
    assert input_size(arch, {}, 64) == (64, {"image_size": 64})
    net = create_model(arch, "five", width=16, image_size=64, backbone_args={"depths": [1, 1, 1, 1]}).eval()
    with torch.no_grad():
        assert net(torch.rand(1, 3, 64, 64)).landmarks.shape == (1, 5, 2)


def test_names_are_checked_with_suggestions() -> None:
    with pytest.raises(ConfigError, match="unknown timm backbone 'resnet1': did you mean 'resnet18'"):
        create_model("timm:resnet1", "five")
    with pytest.raises(ConfigError, match="unknown model 'resnet18': did you mean 'timm:resnet18'"):
        create_model("resnet18", "five")
    with pytest.raises(ConfigError, match=r"feature maps at strides \(16, .* such as resnet18"):
        create_model("timm:vit_tiny_patch16_224", "five")


def test_onnx_predicts_the_same_points(tmp_path: Path) -> None:
    torch.manual_seed(0)
    arch = "timm:mobilenetv3_small_050"
    net = create_model(arch, "five", width=16).eval()
    path = export_onnx(net, ModelSpec(arch, "five", 5, CropSpec(64), {"width": 16}), tmp_path / "net.onnx")
    images = torch.rand(1, 3, 64, 64)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: images.permute(0, 2, 3, 1).numpy()})
    with torch.no_grad():
        expected = net(images).landmarks.numpy()
    np.testing.assert_allclose(outputs[0].reshape(expected.shape), expected, atol=1e-4)
