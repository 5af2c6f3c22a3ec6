"""Some landmarks of a trained network: the same numbers from fewer weights, through files too."""

from pathlib import Path

import pytest
import torch
from torch import nn

from distill.errors import CheckpointError, ConfigError
from distill.geometry import CropSpec
from distill.landmarks import map_weights, register_scheme, selected_points
from distill.models import create_model
from distill.models.annotation_shift import set_annotation_shift
from distill.models.checkpoint import load_model, save_model
from distill.models.point_selection import select_points
from distill.spec import ModelSpec
from tests.support.zoo_tester import shaken, with_peaks

INNER = list(range(17, 68))
# AAM maps, plain maps at one and at several resolutions, and coordinates.
NETWORKS = {"mobilevit_v2_050": 64, "hrnet_w18": 64, "lite_hrnet_plus_10m": 96, "efld": 64, "pfld_025": 64}
OWN = {
    "name": "two_eyes", "title": "outer eye corners", "n_points": 2, "flip": [[0, 1]],
    "groups": {"eyes": "0-1"}, "edges": [], "ocular": [[0], [1]],
    "from": {"ibug68": {"exact": True, "points": [36, 45]}},
}  # fmt: skip


def trained(arch: str, size: int, shift: float = 0.01) -> tuple[nn.Module, ModelSpec]:
    options = {"image_size": size} if arch.startswith(("dan", "efld", "pfld")) else {}
    torch.manual_seed(0)
    net = shaken(create_model(arch, "ibug68", **options)).eval()
    if "hrnet" in arch:
        net = with_peaks(net, size)
    set_annotation_shift(net, shift)
    return net, ModelSpec(arch, "ibug68", 68, CropSpec(size), options, annotation_shift=shift)


@pytest.mark.parametrize("arch", NETWORKS)
def test_the_points_that_are_kept_stay_where_they_are(arch: str, tmp_path: Path) -> None:
    net, spec = trained(arch, NETWORKS[arch])
    crops = torch.rand(2, 3, spec.crop.size, spec.crop.size, generator=torch.Generator().manual_seed(2))
    smaller, its_spec = select_points(net, spec, "inner51")
    assert (its_spec.scheme, its_spec.n_points, its_spec.annotation_shift) == ("inner51", 51, 0.01)
    with torch.inference_mode():
        wanted = net(crops).landmarks[:, INNER]
        assert float((wanted[:, :, 0].amax(1) - wanted[:, :, 0].amin(1)).min()) > 1e-3  # the points differ
        torch.testing.assert_close(smaller(crops).landmarks, wanted, rtol=0, atol=1e-5)
    count = [sum(parameter.numel() for parameter in part.parameters()) for part in (smaller, net)]
    assert count[0] < count[1]
    save_model(tmp_path / "all.safetensors", net, spec)
    loaded, _ = load_model(tmp_path / "all.safetensors", "inner51")
    with torch.inference_mode():
        torch.testing.assert_close(loaded(crops).landmarks, wanted, rtol=0, atol=1e-5)


def test_points_of_a_scheme_of_ones_own_are_kept_with_its_definition(tmp_path: Path) -> None:
    net, spec = trained("efld", 64)
    register_scheme(OWN, "own.yaml")
    smaller, its_spec = select_points(net, spec, "two_eyes")
    assert its_spec.definitions["two_eyes"]["n_points"] == 2
    save_model(tmp_path / "two.safetensors", smaller, its_spec)
    crops = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        found = load_model(tmp_path / "two.safetensors")[0](crops).landmarks
        torch.testing.assert_close(found, net(crops).landmarks[:, [36, 45]], rtol=0, atol=1e-5)


def test_a_scheme_that_is_none_and_edges_that_the_network_lacks_are_told(tmp_path: Path) -> None:
    net, spec = trained("mobilevit_v2_050", 64)
    save_model(tmp_path / "net.safetensors", net, spec)
    with pytest.raises(CheckpointError, match=r"missing\.yaml"):
        load_model(tmp_path / "net.safetensors", str(tmp_path / "missing.yaml"))
    with pytest.raises(CheckpointError, match="unknown landmark scheme 'iner51'"):
        load_model(tmp_path / "net.safetensors", "iner51")
    register_scheme(OWN | {"edges": [{"name": "line", "points": "0-1", "closed": False}]}, "own.yaml")
    with pytest.raises(
        ConfigError, match=r"not with the edges of two_eyes \(.* edges of ibug68\); train it on two_eyes"
    ):
        select_points(net, spec, "two_eyes")


def test_blends_of_points_and_all_points_are_no_selection() -> None:
    assert selected_points("ibug68", "inner51") == INNER
    assert map_weights("wflw98", "inner51").shape == (51, 2, 98)
    assert selected_points("wflw98", "inner51") is None  # lids are blends of two points
    assert selected_points("inner51", "inner51") is None
    assert selected_points("inner51", "ibug68") is None


def test_networks_whose_points_depend_on_each_other_are_refused(tmp_path: Path) -> None:
    net, spec = trained("dan_2", 32, shift=0.0)  # its second stage sees the landmarks of the first
    with pytest.raises(ConfigError, match="dan_2: points cannot be left out of this network, or not with the edges"):
        select_points(net, spec, "inner51")
    save_model(tmp_path / "dan.safetensors", net, spec)
    with pytest.raises(CheckpointError, match="cannot be left out"):
        load_model(tmp_path / "dan.safetensors", "inner51")
