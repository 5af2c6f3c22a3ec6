"""Training can start from another network's weights: as many as fit, told in one line, and only once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from distill.errors import CheckpointError, ConfigError
from distill.files import sha256
from distill.geometry import CropSpec
from distill.models import create_model
from distill.models.checkpoint import load_model, save_model
from distill.models.config import ModelConfig
from distill.spec import ModelSpec
from distill.training.callbacks.checkpointing import RunCheckpoints
from distill.training.fit import train_teacher
from distill.training.pretrained import start_from
from tests.training.conftest import SMALL, STUDENT, TEACHER, MakeConfig


def _saved(path: Path, model: ModelConfig, scheme: str = "inner51", size: int = 64) -> Path:
    torch.manual_seed(7)
    net = create_model(model.arch, scheme, **model.options)
    save_model(path, net, ModelSpec(model.arch, scheme, 51, CropSpec(size), model.options))
    return path


def test_all_weights_of_the_same_network_are_taken(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.safetensors", TEACHER)
    net = create_model(TEACHER.arch, "inner51", **TEACHER.options)
    line = start_from(net, path)
    assert "100.0% of the numbers; nothing is new" in line
    assert "\n" not in line
    assert all(torch.equal(value, net.state_dict()[n]) for n, value in load_model(path)[0].state_dict().items())


def test_other_landmarks_leave_the_heads_new(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.safetensors", TEACHER)
    net = create_model(TEACHER.arch, "ibug68", **TEACHER.options)
    before = net.state_dict()["head.heatmap.weight"].clone()
    line = start_from(net, path)
    assert "new: head.heatmap (2), head.point (2), head.edge (2)" in line
    assert torch.equal(net.state_dict()["head.heatmap.weight"], before)
    name = "backbone.patch_embed.proj.weight"
    assert torch.equal(net.state_dict()[name], load_model(path)[0].state_dict()[name])


def test_points_that_the_checkpoint_has_start_with_its_head(tmp_path: Path) -> None:
    torch.manual_seed(7)
    large = create_model(TEACHER.arch, "ibug68", **TEACHER.options)
    path = tmp_path / "a.safetensors"
    save_model(path, large, ModelSpec(TEACHER.arch, "ibug68", 68, CropSpec(64), TEACHER.options))
    net = create_model(TEACHER.arch, "inner51", **TEACHER.options)
    assert "nothing is new" in start_from(net, path, "inner51")
    assert torch.equal(net.state_dict()["head.point.weight"], large.state_dict()["head.point.weight"][17:])
    assert "new: head.heatmap (2)" in start_from(create_model(TEACHER.arch, "five", **TEACHER.options), path, "five")


def test_twice_the_crop_and_window_takes_everything_and_sees_the_same(tmp_path: Path) -> None:
    """SwinV2's position bias is a function of the offset in windows: of a doubled crop it is the one between."""
    path = _saved(tmp_path / "a.safetensors", TEACHER)
    options = {**TEACHER.options, "image_size": 128}
    options["backbone_args"] = {**TEACHER.options["backbone_args"], "window_size": 8}
    net = create_model("swin_v2", "inner51", **options)
    assert "nothing is new" in start_from(net, path)
    small, _ = load_model(path)
    with torch.no_grad():
        tables = [
            next(m for m in n.backbone.modules() if hasattr(m, "relative_coords_table")).relative_coords_table
            for n in (small, net)
        ]
    ends = [table.flatten(0, 2).amax(0).tolist() for table in tables]
    assert ends[0] == ends[1]
    assert tables[1].numel() > tables[0].numel()


def test_nothing_that_fits_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.safetensors", ModelConfig("efld", {"image_size": 64}))
    net = create_model(TEACHER.arch, "inner51", **TEACHER.options)
    with pytest.raises(ConfigError, match=r"--model\.init .*none of its weights fits") as caught:
        start_from(net, path)
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        start_from(net, tmp_path / "nowhere.ckpt")


def test_a_run_starts_from_it_and_a_resumed_one_does_not_read_it(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _saved(tmp_path / "a.safetensors", SMALL)
    config = make_config("whole", model={"init": path}, trainer={"epochs": 2})
    whole = train_teacher(config)
    assert "--model.init" in capsys.readouterr().out
    scratch = train_teacher(make_config("scratch", trainer={"epochs": 2}))
    assert (scratch / "metrics.csv").read_text() != (whole / "metrics.csv").read_text()
    original, calls = RunCheckpoints.on_train_batch_end, iter(range(1, 10**6))

    def crash(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if next(calls) == 3:
            raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunCheckpoints, "on_train_batch_end", crash)
        with pytest.raises(InterruptedError):
            train_teacher(replace(config, name="crashed"))
    path.unlink()
    again = train_teacher(replace(config, name="crashed", resume=True))
    assert (again / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()


def test_local_weights_are_loaded_and_recorded_also_after_a_resume(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "backbone.pth"
    torch.save(timm.create_model("test_efficientnet").state_dict(), path)
    config = make_config(model=replace(STUDENT, weights=path), trainer={"epochs": 1})
    folder = train_teacher(config)
    assert f"--model.weights {path}: " in capsys.readouterr().out
    record = json.loads((folder / "summary.json").read_text())["weights"]
    assert (record["file"], record["sha256"]) == (str(path), sha256(path))
    assert record["missing"] == []
    path.unlink()
    train_teacher(replace(config, resume=True))
    assert json.loads((folder / "summary.json").read_text())["weights"] == record
