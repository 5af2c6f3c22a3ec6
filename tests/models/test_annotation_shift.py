"""A shift of the annotations is part of the output of a network, and of nothing that is trained."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill.errors import CheckpointError, ConfigError
from distill.geometry import CropSpec
from distill.inference.flip import predict_with_flip
from distill.inference.torch_backend import TorchBackend
from distill.models.annotation_shift import set_annotation_shift
from distill.models.checkpoint import load_model, save_model
from distill.models.zoo import create_model
from distill.spec import ModelSpec
from distill.training.teacher import FrozenTeacher

OPTIONS = {"width": 8}
SPEC = ModelSpec("timm:test_efficientnet", "inner51", 51, CropSpec(64, 1.25), OPTIONS)
SHIFTED = replace(SPEC, annotation_shift=0.02)
IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, Path]:
    """The same weights without and with a shift."""
    torch.manual_seed(0)
    net = create_model(SPEC.arch, SPEC.scheme, **OPTIONS)
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("plain", "shifted")}
    save_model(paths["plain"], net, SPEC)
    save_model(paths["shifted"], net, SHIFTED)
    return paths


def test_a_stored_shift_moves_x_and_nothing_else(stored: dict[str, Path]) -> None:
    plain, shifted = (load_model(stored[name])[0](IMAGES) for name in ("plain", "shifted"))
    moved = shifted.landmarks - plain.landmarks
    assert torch.allclose(moved[..., 0], torch.tensor(0.02), atol=1e-6)
    assert not moved[..., 1].any()
    assert torch.equal(shifted.heatmaps, plain.heatmaps)
    assert torch.equal(shifted.confidence, plain.confidence)


def test_it_is_no_weight(stored: dict[str, Path]) -> None:
    plain, shifted = (load_model(stored[name])[0] for name in ("plain", "shifted"))
    assert plain.state_dict().keys() == shifted.state_dict().keys()


def test_a_teacher_leaves_it_out(stored: dict[str, Path]) -> None:
    """Students see half of the photos mirrored, where the annotations lie to the other side."""
    plain, shifted = (FrozenTeacher.load([stored[name]])(IMAGES) for name in ("plain", "shifted"))
    assert torch.equal(plain.landmarks, shifted.landmarks)


def test_the_mean_with_the_mirrored_crop_keeps_it(stored: dict[str, Path]) -> None:
    crops = (IMAGES.permute(0, 2, 3, 1) * 255).byte().numpy()
    plain, shifted = (predict_with_flip(TorchBackend(*load_model(stored[n])), crops) for n in ("plain", "shifted"))
    assert shifted - plain == pytest.approx(torch.tensor([0.02, 0.0]).expand(2, 51, 2).numpy(), abs=1e-6)


@pytest.mark.parametrize("arch", ["efld", "hrnet_w18", "pipnet_mobilenet_v3"])
def test_networks_with_other_heads_take_it(arch: str) -> None:
    net = create_model(arch, "inner51").eval()
    images = torch.nn.functional.interpolate(IMAGES, (128, 128))
    plain = net(images).landmarks
    set_annotation_shift(net, 0.02)
    assert torch.allclose(net(images).landmarks - plain, torch.tensor([0.02, 0.0]), atol=1e-6)
    set_annotation_shift(net, 0.0)
    assert torch.equal(net(images).landmarks, plain)


def test_a_head_that_is_kept_alone_has_its_own(tmp_path: Path) -> None:
    options = {"others": ["ibug68"]}
    net = create_model("efld", "inner51", **options)
    spec = ModelSpec("efld", "inner51", 51, CropSpec(128, 1.25), options, annotation_shift=0.02)
    save_model(tmp_path / "efld.safetensors", net, spec)
    images = torch.rand(1, 3, 128, 128)
    for scheme, expected in {"inner51": 0.02, "ibug68": 0.0}.items():
        alone, alone_spec = load_model(tmp_path / "efld.safetensors", scheme)
        assert alone_spec.annotation_shift == expected
        shifted = alone(images).landmarks
        set_annotation_shift(alone, 0.0)
        assert (shifted - alone(images).landmarks)[..., 0].mean().item() == pytest.approx(expected, abs=1e-6)


def test_networks_that_cannot_add_it_and_wild_shifts_are_refused(tmp_path: Path) -> None:
    net = create_model("dan_1", "inner51")
    with pytest.raises(ConfigError, match=r"annotation_shift is 0\.02, and Dan does not take one"):
        set_annotation_shift(net, 0.02)
    save_model(tmp_path / "dan.safetensors", net, replace(SHIFTED, arch="dan_1", options={}))
    with pytest.raises(CheckpointError, match="does not take one"):
        load_model(tmp_path / "dan.safetensors")
    for value in (0.5, "right", None):
        with pytest.raises(ConfigError, match=f"annotation_shift is {value}; at most 0.1 sides of the crop"):
            ModelSpec.from_dict({**SPEC.to_dict(), "annotation_shift": value})
