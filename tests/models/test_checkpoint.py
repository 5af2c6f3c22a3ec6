"""Weights come back as they went, and nothing else is taken for weights or run as code."""

import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from distill.errors import CheckpointError, DistillError
from distill.geometry import CropSpec
from distill.models import create_model
from distill.models.checkpoint import load_model, read_spec, save_model
from distill.spec import ModelSpec

SPEC = ModelSpec("mobilevit_v2_050", "five", 5, CropSpec(64, 1.2, -0.1), {"width": 16, "neck": "pyramid"})


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(1)
    net = create_model(SPEC.arch, SPEC.scheme, **SPEC.options)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
    return net.eval()


def _write_lightning(path: Path, net: nn.Module, spec: Any = SPEC) -> None:
    spec = asdict(spec) if isinstance(spec, ModelSpec) else spec
    state = {f"net.{name}": value for name, value in net.state_dict().items()}
    # A training saves more beside the network; none of it is the network's.
    torch.save({"spec": spec, "state_dict": {**state, "loss.scale": torch.ones(1)}, "epoch": 3}, path)


def _write_safetensors(path: Path, net: nn.Module, spec: Any = SPEC) -> None:
    spec = spec.to_dict() if isinstance(spec, ModelSpec) else spec
    save_file(dict(net.state_dict()), path, metadata={"spec": json.dumps(spec)})


WRITERS: dict[str, Callable[..., None]] = {".ckpt": _write_lightning, ".safetensors": _write_safetensors}


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_round_trip(suffix: str, net: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    if suffix == ".ckpt":
        _write_lightning(path, net)
    else:
        save_model(path, net, SPEC)
    loaded, spec = load_model(path)
    assert spec == SPEC
    assert not any(module.training for module in loaded.modules())
    for (name, expected), (other, value) in zip(net.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(expected, value), name
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(net(images).landmarks, loaded(images).landmarks)


def test_half_precision_on_disk_is_single_in_the_network(net: nn.Module, tmp_path: Path) -> None:
    save_model(tmp_path / "whole.safetensors", net, SPEC)
    save_model(tmp_path / "half.safetensors", net, SPEC, half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * (tmp_path / "whole.safetensors").stat().st_size
    loaded, _ = load_model(tmp_path / "half.safetensors")
    for name, value in loaded.state_dict().items():
        expected = net.state_dict()[name]
        assert value.dtype == expected.dtype, name
        assert torch.equal(value, expected.half().to(expected.dtype)), name


def test_pretrained_is_not_downloaded_for_weights_that_are_there(net: nn.Module, tmp_path: Path) -> None:
    spec = ModelSpec(SPEC.arch, SPEC.scheme, 5, SPEC.crop, {**SPEC.options, "pretrained": True})
    save_model(tmp_path / "a.safetensors", net, spec)
    assert load_model(tmp_path / "a.safetensors")[1] == spec  # the network guard would notice an attempt


CONTENTS = {
    "html": b"<!DOCTYPE html><html><body>404 not found</body></html>",
    "empty": b"",
    "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "zeros": bytes(4096),
    "huge header": (1 << 40).to_bytes(8, "little") + b"{}",
    "gzip": b"\x1f\x8b\x08\x00" + bytes(64),
}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("content", CONTENTS)
def test_other_files_are_refused_in_one_line(content: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(CONTENTS[content])
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    _one_line_about(path, caught.value)
    if content in ("html", "empty"):
        assert {"html": "an HTML page", "empty": "an empty file"}[content] in str(caught.value)


def _one_line_about(path: Path, error: DistillError) -> None:
    assert str(path) in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize("suffix", WRITERS)
def test_truncated_at_any_length_is_refused(suffix: str, net: nn.Module, tmp_path: Path) -> None:
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    WRITERS[suffix](whole, net)
    content = whole.read_bytes()
    for share in (0.0001, 0.01, 0.3, 0.7, 0.99, 0.99999):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(CheckpointError) as caught:
            load_model(path)
        _one_line_about(path, caught.value)


class _Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.target, "executed"))


@pytest.mark.parametrize("kind", ["torch", "plain pickle", "in the spec", "legacy"])
def test_code_in_a_checkpoint_is_never_run(kind: str, net: nn.Module, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "model.ckpt"
    if kind == "torch":
        torch.save({"spec": asdict(SPEC), "state_dict": {}, "x": _Bomb(trace)}, path)
    elif kind == "plain pickle":
        path.write_bytes(pickle.dumps(_Bomb(trace)))
    elif kind == "in the spec":
        _write_lightning(path, net, {**asdict(SPEC), "options": _Bomb(trace)})
    else:
        torch.save({"x": _Bomb(trace)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    _one_line_about(path, caught.value)
    assert not trace.exists()


FOREIGN: dict[str, Any] = {
    "no crop": {k: v for k, v in asdict(SPEC).items() if k != "crop"},
    "no arch": {k: v for k, v in asdict(SPEC).items() if k != "arch"},
    "more": {**asdict(SPEC), "license": "MIT"},
    "crop of another kind": {**asdict(SPEC), "crop": [64, 1.2]},
    "crop with more": {**asdict(SPEC), "crop": {"size": 64, "pad": 3}},
    "options a list": {**asdict(SPEC), "options": [1]},
    "a list": [1, 2],
    "a text": "swin_v2",
    "nothing": None,
}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_descriptions_are_refused(case: str, suffix: str, net: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    WRITERS[suffix](path, net, FOREIGN[case])
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    _one_line_about(path, caught.value)


def test_descriptions_of_models_this_version_does_not_know(net: nn.Module, tmp_path: Path) -> None:
    for change in ({"arch": "mobilevit_v9"}, {"scheme": "six"}, {"options": {"wdth": 3}}):
        path = tmp_path / "model.ckpt"
        _write_lightning(path, net, {**asdict(SPEC), **change})
        with pytest.raises(DistillError) as caught:
            load_model(path)
        _one_line_about(path, caught.value)


def test_checkpoints_of_other_programs(net: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    for content in (
        {"state_dict": {}},
        {"model": {}},
        [1, 2],
        torch.zeros(3),
        {"spec": asdict(SPEC), "state_dict": [1]},
    ):
        torch.save(content, path)
        with pytest.raises(CheckpointError) as caught:
            load_model(path)
        _one_line_about(path, caught.value)
    save_file({"a": torch.zeros(1)}, tmp_path / "b.safetensors")
    for read in (load_model, read_spec):
        with pytest.raises(CheckpointError, match="another program"):
            read(tmp_path / "b.safetensors")


def test_weights_of_another_network(net: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    _write_lightning(path, net, {**asdict(SPEC), "options": {"width": 24}})
    with pytest.raises(CheckpointError, match="do not fit mobilevit_v2_050") as caught:
        load_model(path)
    _one_line_about(path, caught.value)


def test_misspelt_names_of_released_models_suggest_the_nearest() -> None:
    with pytest.raises(CheckpointError, match="did you mean 'student_128_turned'"):
        load_model("student_128_turnd")


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint; train one"):
        load_model(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="a folder; give a model file in it"):
        load_model(tmp_path)
    (tmp_path / "a.pth").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"unknown suffix '\.pth'; give one of \.ckpt, \.safetensors"):
        load_model(tmp_path / "a.pth")


def test_a_zip_that_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("../escape", b"x")
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    _one_line_about(path, caught.value)
    assert not (tmp_path.parent / "escape").exists()


def test_a_network_that_only_a_plugin_has_is_told_so(tmp_path: Path) -> None:
    save_model(tmp_path / "net.safetensors", nn.Linear(2, 2), ModelSpec("my_net", "five", 5, CropSpec(64)))
    with pytest.raises(CheckpointError, match=r"unknown model 'my_net'.*a network of your own needs --plugin FILE"):
        load_model(tmp_path / "net.safetensors")


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_spec_alone_is_read_without_tensors(
    suffix: str, net: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every evaluation and export read the weights twice, once to find out whether they are a detector's."""
    path = tmp_path / f"net{suffix}"
    WRITERS[suffix](path, net)
    monkeypatch.setattr("distill.models.checkpoint.require_finite_weights", lambda *_: pytest.fail("read tensors"))
    assert read_spec(path)["arch"] == SPEC.arch
    short = path.with_name(f"short{suffix}")
    short.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"100 bytes (of something else|cut short or damaged)"):
        read_spec(short)
