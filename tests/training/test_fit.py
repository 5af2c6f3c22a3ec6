"""What a finished run leaves, and what a student needs of its teacher."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from distill.data.config import CropConfig
from distill.errors import CheckpointError, ConfigError
from distill.models.checkpoint import load_model
from distill.options.parser import options_of, parse
from distill.training import fit as module
from distill.training.config import RunConfig, StudentConfig
from distill.training.fit import train_student, train_teacher
from tests.support.training_runs import numbers
from tests.training.conftest import TEACHER


def test_a_run_leaves_what_it_says(make_config: Any) -> None:
    config = make_config("run", model=TEACHER)
    folder = train_teacher(config)
    assert {path.name for path in folder.iterdir()} == {
        "best.ckpt", "last.ckpt", "metrics.csv", "config.yaml", "summary.json", "lineage.jsonl",
    }  # fmt: skip
    recorded = numbers(folder)
    for name in ("train/loss", "train/star", "train/point", "train/edge", "train/lr", "train/grad_norm"):
        assert [step for step, other in recorded if other == name] == list(range(1, 13))
    for name in ("nme", "fr8", "fr10", "auc8", "auc10"):
        assert [step for step, other in recorded if other == f"val/{name}"] == [4, 8, 12]
    summary = json.loads((folder / "summary.json").read_text())
    nmes = {step: float.fromhex(v) for (step, name), v in recorded.items() if name == "val/nme"}
    assert summary["val_nme"] == min(nmes.values()) == nmes[summary["best_step"]]
    assert (summary["steps"], summary["train_faces"], summary["val_faces"]) == (12, 18, 5)
    assert torch.load(folder / "best.ckpt", weights_only=True)["global_step"] == summary["best_step"]
    # The averaged weights are what is loaded, and the configuration makes the same run.
    net, spec = load_model(folder / "last.ckpt")
    assert spec.crop == config.data.crop.spec()
    stored = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, stored[f"net.{name}"]) for name, value in net.state_dict().items())
    again = parse(options_of("teacher", "", RunConfig), ["--config", str(folder / "config.yaml")])
    assert RunConfig(**again) == config


def test_another_seed_is_another_run(make_config: Any) -> None:
    folders = [train_teacher(make_config(f"seed{n}", seed=n, trainer={"epochs": 1})) for n in (0, 1)]
    assert numbers(folders[0])[1, "train/loss"] != numbers(folders[1])[1, "train/loss"]


def test_an_existing_run_is_not_overwritten(make_config: Any) -> None:
    folder = train_teacher(make_config("run", trainer={"epochs": 1}))
    before = (folder / "last.ckpt").read_bytes()
    with pytest.raises(ConfigError, match="this run exists; continue it with --resume, or choose another --name"):
        train_teacher(make_config("run", trainer={"epochs": 1}))
    assert (folder / "last.ckpt").read_bytes() == before


def test_a_student_learns_beside_a_teacher_that_stays_as_it_is(
    make_config: Any, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, tasks = teacher.read_bytes(), []
    monkeypatch.setattr(module.StudentTask, "on_fit_end", lambda self: tasks.append(self), raising=False)
    config = make_config("student", teacher=teacher, kd={"inherit_heads": True}, trainer={"epochs": 1})
    folder = train_student(config)
    (task,) = tasks
    net = task.teacher.net
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in net.parameters())
    assert not any(part.training for part in net.modules())
    reference, _ = load_model(teacher)
    assert all(torch.equal(value, reference.state_dict()[name]) for name, value in net.state_dict().items())
    assert teacher.read_bytes() == before
    # Not among what is optimised, kept or saved.
    values = {id(parameter) for parameter in net.parameters()}
    assert not values & {id(p) for group in task.optimizers().param_groups for p in group["params"]}
    assert not any(name.startswith("teacher") for name in task.state_dict())
    stored = torch.load(folder / "last.ckpt", weights_only=True)
    assert {name.split(".")[0] for name in stored["state_dict"]} == {"net"}
    assert len(stored["state_dict"]) == len(task.net.state_dict())
    kd = [float.fromhex(v) for (_, name), v in numbers(folder).items() if name == "train/kd"]
    assert len(kd) == 4
    assert all(value > 0 for value in kd)
    again = parse(options_of("student", "", StudentConfig), ["--config", str(folder / "config.yaml")])
    assert StudentConfig(**again) == config


def test_students_that_do_not_fit_their_teacher(make_config: Any, teacher: Path, tmp_path: Path) -> None:
    cases: dict[str, dict[str, Any]] = {
        r"differ in crop \(.*1\.3.* and .*1\.5": {"data": {"crop": CropConfig(64, 1.5, 0.0)}},
        r"--kd\.inherit_heads: necks of student and teacher are 24 and 16 wide": {
            "model": {"options": {"width": 24}},
            "kd": {"inherit_heads": True},
        },
    }
    for message, changes in cases.items():
        with pytest.raises(ConfigError, match=message) as caught:
            train_student(make_config("student", teacher=teacher, **changes))
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        train_student(make_config("student", teacher=tmp_path / "nowhere.ckpt"))
    assert not (tmp_path / "runs" / "student").exists()


def test_a_loaded_configuration_is_plain_yaml(student: Path, teacher: Path) -> None:
    content = yaml.safe_load((student / "config.yaml").read_text())
    assert content["kd"]["kind"] == "mse"
    assert content["teacher"] == str(teacher)
    assert "resume" not in content
    assert not math.isnan(content["optim"]["lr"])
