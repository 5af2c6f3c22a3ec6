"""Backbone weights from local files of timm, torchvision and our own checkpoints."""

import re
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from distill.errors import CheckpointError, ConfigError
from distill.models import create_model
from distill.models.backbone import backbone_of
from distill.models.config import ModelConfig
from distill.models.weight_files import save_weights
from distill.models.weights import load_backbone_weights, read_tensors


def _net(backbone: str) -> nn.Module:
    torch.manual_seed(1)
    return create_model(f"timm:{backbone}", "five", width=16).eval()


@pytest.mark.parametrize("prefix", ["", "module.", "module.backbone."])
@pytest.mark.parametrize("backbone", ["resnet18", "convnext_atto"])
def test_timm_names_with_common_prefixes(backbone: str, prefix: str, tmp_path: Path) -> None:
    source = timm.create_model(backbone).eval()
    path = tmp_path / "weights.safetensors"
    save_file({f"{prefix}{name}": value for name, value in source.state_dict().items()}, path)
    net = _net(backbone)
    loaded = load_backbone_weights(net, path)
    assert loaded.missing == []
    assert loaded.matched_by == "name"
    assert net.loaded_weights["matched"] == loaded.matched == len(backbone_of(net).state_dict())  # type: ignore[index]
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        features = backbone_of(net)(images)[-1]
        expected = source.forward_intermediates(images, norm=False, intermediates_only=True)[-1]
    torch.testing.assert_close(features, expected)


def test_torchvision_names_of_a_resnet(tmp_path: Path) -> None:
    source = torchvision.models.resnet18()
    torch.save({"state_dict": source.state_dict(), "epoch": 3}, tmp_path / "resnet18.pth")
    net = _net("resnet18")
    loaded = load_backbone_weights(net, tmp_path / "resnet18.pth")
    assert (loaded.missing, loaded.unused, loaded.matched_by) == ([], 2, "name")
    assert re.fullmatch(
        r"--model.weights .*resnet18.pth: 120 of 120 backbone tensors loaded by name, none is missing; 2 of the file "
        "unused",
        str(loaded),
    )
    assert torch.equal(backbone_of(net).state_dict()["layer4.1.conv2.weight"], source.layer4[1].conv2.weight)


def test_torchvision_names_that_differ_are_matched_in_order(tmp_path: Path) -> None:
    torch.manual_seed(2)
    source = torchvision.models.mobilenet_v3_small().eval()
    torch.save(source.state_dict(), tmp_path / "mobilenet.pth")
    net = _net("tf_mobilenetv3_small_100")
    loaded = load_backbone_weights(net, tmp_path / "mobilenet.pth")
    assert (loaded.missing, loaded.matched_by) == ([], "order")
    first = backbone_of(net).state_dict()["conv_stem.weight"]
    assert torch.equal(first, source.features[0][0].weight)  # type: ignore[index]


def test_weights_of_another_architecture_are_an_error(tmp_path: Path) -> None:
    torch.save(timm.create_model("mobilenetv3_small_050").state_dict(), tmp_path / "small.pth")
    with pytest.raises(ConfigError, match=r"holds \d+% of the backbone's weights .* give weights of the same arch"):
        load_backbone_weights(_net("resnet18"), tmp_path / "small.pth")


def test_files_that_are_no_weights_are_one_line(tmp_path: Path) -> None:
    net = nn.Linear(1, 1)
    (tmp_path / "page.pth").write_text("<html>")
    torch.save({"epoch": 1}, tmp_path / "empty.pth")
    torch.save(net, tmp_path / "code.pth")
    (tmp_path / "weights.h5").write_bytes(b"")
    (tmp_path / "cut.safetensors").write_bytes(b"12")
    for name, reason in [
        ("none.pth", "no such file"),
        ("page.pth", "not a file of tensors alone"),
        ("empty.pth", "holds no tensors"),
        ("code.pth", "not a file of tensors alone"),
        ("weights.h5", "unknown suffix"),
        ("cut.safetensors", "not a file of tensors alone"),
    ]:
        with pytest.raises(CheckpointError, match=reason) as caught:
            load_backbone_weights(net, tmp_path / name)
        assert "\n" not in str(caught.value)


def test_options_that_contradict_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--model.weights contradicts --model.init"):
        ModelConfig(weights=tmp_path, init=tmp_path)
    with pytest.raises(ConfigError, match=r"--model.weights contradicts pretrained"):
        ModelConfig(weights=tmp_path, options={"pretrained": True})


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_one_changed_bit_of_a_backbone_weight_is_noticed(suffix: str, tmp_path: Path) -> None:
    """torch does not compare the checksums of its archives, and safetensors have none but ours."""
    weight = torch.rand(64, 64)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"a": weight}, path)
    else:
        save_weights(path, {"a": weight}, {"arch": "x"})
    assert torch.equal(read_tensors(path)["a"], weight)
    content = bytearray(path.read_bytes())
    content[content.index(weight.numpy().tobytes()) + 1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"--model\.weights .*(checksum of .* differs|differs from its SHA-256)"):
        read_tensors(path)


def test_a_list_of_hashes_beside_backbone_weights_is_compared(tmp_path: Path) -> None:
    torch.save({"a": torch.rand(2)}, tmp_path / "weights.pth")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  weights.pth\n")
    with pytest.raises(CheckpointError, match="SHA-256 differs from the one in SHA256SUMS"):
        read_tensors(tmp_path / "weights.pth")
