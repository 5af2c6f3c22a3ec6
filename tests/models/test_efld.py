"""EFLD: the counts that settle its wiring, its ablations, its heads."""

from pathlib import Path
from typing import ClassVar

import pytest
import torch

from distill.errors import CheckpointError, ConfigError
from distill.geometry import CropSpec
from distill.models import create_model
from distill.models.checkpoint import keep_head, load_model, save_model
from distill.models.efld import EOSA
from distill.spec import ModelSpec
from tests.support.zoo_tester import ZooTester


class TestEfld(ZooTester):
    arch = "efld"


class TestEfldPfldHead(ZooTester):
    arch = "efld"
    options: ClassVar = {"head": "pfld", "light": False}


def _maps(size: int) -> list[tuple[int, ...]]:
    net = create_model("efld", "inner51", image_size=size).eval()
    shapes: list[tuple[int, ...]] = []
    for module in net.modules():
        if isinstance(module, EOSA):
            module.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    net(torch.rand(1, 3, size, size))
    return shapes


def test_channels_and_strides_are_those_of_the_paper() -> None:
    assert _maps(128) == [(16, 64, 64), (32, 32, 32), (64, 16, 16), (80, 8, 8)]
    assert _maps(96)[-1] == (80, 6, 6)


def test_crops_of_another_size_are_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"96 x 96 px: the network is made for 128 px"):
        create_model("efld", "inner51")(torch.rand(1, 3, 96, 96))
    with pytest.raises(ConfigError, match="image_size 100 of efld is no multiple of 16: take 96"):
        create_model("efld", "inner51", image_size=100)
    with pytest.raises(ConfigError, match="unknown head 'PFLD' of efld"):
        create_model("efld", "inner51", head="PFLD")
    with pytest.raises(ConfigError, match="name every landmark scheme once"):
        create_model("efld", "inner51", others=["ibug68", "inner51"])


def test_every_head_predicts_and_the_first_is_the_network() -> None:
    net = create_model("efld", "inner51", others=["ibug68", "wflw98"]).eval()
    images = torch.rand(2, 3, 128, 128)
    heads = net.every_head(images)  # type: ignore[operator]
    assert {name: outputs.landmarks.shape for name, outputs in heads.items()} == {
        "inner51": (2, 51, 2), "ibug68": (2, 68, 2), "wflw98": (2, 98, 2),
    }  # fmt: skip
    assert torch.equal(heads["inner51"].landmarks, net(images).landmarks)


def test_one_head_is_kept(tmp_path: Path) -> None:
    """What is kept is the requested head, on the same body, and it is an EFLD like any other."""
    options = {"others": ["ibug68", "wflw98"], "uncertainty": True}
    net = create_model("efld", "inner51", **options).eval()
    for head in net.head:  # type: ignore[union-attr]
        torch.nn.init.normal_(head.points.weight)
    images = torch.rand(2, 3, 128, 128)
    outputs = net.every_head(images)  # type: ignore[operator]
    spec = ModelSpec("efld", "inner51", 51, CropSpec(128), options)
    for scheme, k in (("wflw98", 98), ("inner51", 51)):
        alone, its_spec = keep_head(net, spec, scheme)
        assert (its_spec.scheme, its_spec.n_points, its_spec.options.get("others")) == (scheme, k, None)
        assert torch.equal(alone(images).landmarks, outputs[scheme].landmarks)
        save_model(tmp_path / "alone.safetensors", alone, its_spec)
        assert torch.equal(load_model(tmp_path / "alone.safetensors")[0](images).landmarks, outputs[scheme].landmarks)
    save_model(tmp_path / "all.safetensors", net, spec)
    assert load_model(tmp_path / "all.safetensors", "ibug68")[1].n_points == 68
    with pytest.raises(
        CheckpointError,
        match=r"no head for five, whose points are no part of inner51's; it has inner51, ibug68, wflw98",
    ):
        load_model(tmp_path / "all.safetensors", "five")


def test_uncertainty_is_positive_and_costs_the_others_nothing() -> None:
    net = create_model("efld", "inner51", others=["ibug68"], uncertainty=True).eval()
    heads = net.every_head(torch.rand(1, 3, 128, 128))  # type: ignore[operator]
    assert heads["inner51"].sigmas.shape == (1, 51, 2)
    assert float(heads["inner51"].sigmas.detach().min()) > 0
    assert heads["ibug68"].sigmas is None
