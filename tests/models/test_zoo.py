"""Networks by name: shapes, gradients, and one line for every mistake in a name or an option."""

import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.models import create_model, list_models, zoo
from distill.models.cards import load_cards
from distill.models.zoo import zoo_entry

SWIN = {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]}
TINY: dict[str, dict[str, Any]] = {
    "swin_v2": {"image_size": 64, "width": 16, "neck": "pyramid", "backbone_args": SWIN},
    "mobilevit_v2_050": {"width": 16},
}


def _backward(net: nn.Module, size: int, scheme: str) -> None:
    prediction = net(torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)))
    k, edges, cells = load_scheme(scheme).n_points, len(load_scheme(scheme).edges), size // 4
    assert prediction.landmarks.shape == (2, k, 2)
    assert prediction.heatmaps.shape == prediction.point_maps.shape == (2, k, cells, cells)
    assert prediction.edge_maps.shape == (2, edges, cells, cells)
    assert float(prediction.heatmaps.detach().min()) >= 0
    assert 0 <= float(prediction.landmarks.detach().min()) <= float(prediction.landmarks.detach().max()) <= 1
    (prediction.landmarks.sum() + sum(maps.mean() for maps in prediction[1:4])).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, f"{name} takes no part"
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("arch", ["mobilevit_v2_050", "mobilevit_v2_100", "mobilevit_v2_200"])
def test_students_of_every_width(arch: str) -> None:
    _backward(create_model(arch, "inner51", width=16), 64, "inner51")


@pytest.mark.parametrize("neck", ["deconv", "pyramid"])
@pytest.mark.parametrize(("size", "scheme"), [(64, "inner51"), (128, "wflw98")])
def test_swin_forward_and_backward(size: int, scheme: str, neck: str) -> None:
    options = {**TINY["swin_v2"], "image_size": size, "neck": neck}
    _backward(create_model("swin_v2", scheme, **options), size, scheme)


@pytest.mark.parametrize("neck", ["deconv", "nearest", "pyramid"])
@pytest.mark.parametrize("size", [64, 192])
def test_one_student_serves_every_size_and_neck(size: int, neck: str) -> None:
    _backward(create_model("mobilevit_v2_050", "five", width=16, neck=neck), size, "five")


@pytest.mark.parametrize(("activation", "norm"), [("relu", "batch"), ("hard_swish", "group")])
def test_cheaper_activations_and_norms_replace_the_published_ones(activation: str, norm: str) -> None:
    net = create_model("mobilevit_v2_050", "five", width=16, activation=activation, norm=norm)
    kinds = {type(module).__name__.lower() for module in net.backbone.modules()}  # type: ignore[union-attr]
    assert "silu" not in kinds
    assert activation.replace("_", "") in kinds
    assert ("groupnorm1" in kinds) == (norm == "group")
    _backward(net, 64, "five")


def test_published_weights_fit_every_activation() -> None:
    """An activation that renamed or reshaped weights would silently start from scratch."""
    stock, fast = (create_model("mobilevit_v2_050", "five", width=16, activation=a) for a in ("silu", "relu"))
    fast.load_state_dict(stock.state_dict())


@pytest.mark.parametrize("backbone", timm.list_models("swinv2_*"))
def test_any_swin_v2_of_timm_builds(backbone: str) -> None:
    net = create_model("swin_v2", "five", backbone=backbone, **{**TINY["swin_v2"], "image_size": 256})
    assert net.head.heatmap.in_channels == 16  # type: ignore[union-attr]


def test_every_network_has_a_card_and_a_test() -> None:
    """A network that is registered and never converted or counted would rot unseen."""
    assert set(load_cards()) == set(list_models())
    tested = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for arch in list_models():
        base = arch.rstrip("0123456789")
        assert re.search(rf'arch = "{base}\d*"', tested), f"no ZooTester for {arch}: see zoo_tester.py"


def test_networks_of_edge_maps_want_edges(tmp_path: Path) -> None:
    scheme = tmp_path / "two.yaml"
    scheme.write_text(
        "{name: two, title: eyes, n_points: 2, flip: [[0, 1]], groups: {eyes: 0-1}, edges: [], pupil: [[0], [1]]}"
    )
    with pytest.raises(ConfigError, match=r"has no edges, which this network has maps of: .* such as efld"):
        create_model("mobilevit_v2_050", str(scheme), width=16)
    assert create_model("efld", str(scheme)) is not None


@pytest.mark.parametrize(
    ("arch", "scheme", "message"), [(None, "five", "is no model"), ("efld", None, "is no landmark")]
)
def test_what_is_no_name_is_one_line(arch: Any, scheme: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"NoneType {message}"):
        create_model(arch, scheme)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown model 'mobilevitv2_050': did you mean 'mobilevit_v2_050'"):
        create_model("mobilevitv2_050", "inner51")
    with pytest.raises(
        ConfigError, match="unknown timm backbone 'swinv2_tiny_window8': did you mean 'swinv2_tiny_window8_256'"
    ):
        create_model("swin_v2", "inner51", backbone="swinv2_tiny_window8")
    with pytest.raises(ConfigError, match="unknown neck 'piramid': did you mean 'pyramid'"):
        create_model("mobilevit_v2_050", "inner51", neck="piramid")
    with pytest.raises(ConfigError, match="unknown activation 'hardswish': did you mean 'hard_swish'"):
        create_model("mobilevit_v2_050", "inner51", activation="hardswish")
    with pytest.raises(ConfigError, match="unknown norm 'layer': valid: group, batch"):
        create_model("mobilevit_v2_050", "inner51", norm="layer")
    with pytest.raises(ConfigError, match="unknown landmark scheme 'inner5'"):
        create_model("mobilevit_v2_050", "inner5")


BAD_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("mobilevit_v2_050", {"wdth": 16}),
    ("mobilevit_v2_050", {"width": "wide"}),
    ("mobilevit_v2_050", {"width": 0}),
    ("swin_v2", {"backbone_args": {"embed_dims": 16}}),
    ("swin_v2", {"image_size": 100, "backbone_args": SWIN}),
    ("swin_v2", {"image_size": 64, "backbone_args": {**SWIN, "depths": "deep"}}),
    ("swin_v2", {"backbone": "resnet18"}),
]


@pytest.mark.parametrize(("arch", "options"), BAD_OPTIONS)
def test_bad_options_are_one_line(arch: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        create_model(arch, "five", **options)
    assert "\n" not in str(caught.value)
    assert arch in str(caught.value) or "backbone" in str(caught.value)


def test_networks_registered_later_are_listed_and_need_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    before = list_models()
    monkeypatch.setattr(zoo, "_REGISTRY", dict(zoo._REGISTRY))

    @zoo.register("later_net", size=32, loss="nme")
    def later_net(name: str, scheme: str) -> nn.Module:
        return nn.Identity()

    assert set(list_models()) == {*before, "later_net"}
    assert zoo_entry("later_net").size == 32
    assert isinstance(create_model("later_net", "five"), nn.Identity)


def test_a_name_of_another_module_cannot_be_registered_again() -> None:
    list_models()
    with pytest.raises(ConfigError, match=r"model 'efld' of .* is registered already: choose another name"):
        zoo.register("efld")(lambda name, scheme: nn.Identity())


def test_feature_noise_is_for_training_only() -> None:
    net = create_model("swin_v2", "five", **TINY["swin_v2"], feature_noise=0.5)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        net.eval()
        assert torch.equal(net(images).heatmaps, net(images).heatmaps)
        # Batch statistics depend on the batch alone, so what differs is noise.
        net.train()
        assert not torch.equal(net(images).edge_maps, net(images).edge_maps)
