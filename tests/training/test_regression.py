"""Networks that regress coordinates train, distil, mix data sets and resume as those with maps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.data.config import SetConfig
from distill.errors import ConfigError
from distill.export.to_onnx import export_onnx
from distill.inference.exported import OnnxBackend
from distill.losses.config import LossConfig
from distill.models.checkpoint import load_model
from distill.models.config import ModelConfig
from distill.training.callbacks.checkpointing import RunCheckpoints
from distill.training.fit import train_student, train_teacher
from tests.support.training_runs import numbers
from tests.training.conftest import SMALL, STUDENT

EFLD = ModelConfig("efld", {"image_size": 64})
SURE = ModelConfig("efld", {"image_size": 64, "uncertainty": True})


@pytest.mark.parametrize("kind", ["nme", "wing", "l1", "smooth_l1"])
def test_every_loss_of_points_trains(kind: str, make_config: Any) -> None:
    rows = numbers(train_teacher(make_config("points", loss=LossConfig(kind))))
    losses = [float.fromhex(value) for (_, name), value in rows.items() if name == f"train/{kind}"]
    assert len(losses) == 12
    assert losses[-1] < losses[0]


def test_a_network_of_points_has_its_own_loss_and_ships(make_config: Any, tmp_path: Path) -> None:
    folder = train_teacher(make_config("efld", model=EFLD, trainer={"epochs": 1}))
    assert (1, "train/nme") in numbers(folder)
    net, spec = load_model(folder / "best.ckpt")
    onnx = OnnxBackend(export_onnx(net, spec, tmp_path / "efld.onnx"))
    images = torch.rand(1, 64, 64, 3)
    with torch.no_grad():
        expected = net(images.permute(0, 3, 1, 2)).landmarks
    assert torch.allclose(torch.from_numpy(onnx(images.numpy())), expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "model"), [("coordinate", EFLD), ("gaussian", SURE)])
def test_a_regression_student_learns_from_a_teacher_with_maps(
    kind: str, model: ModelConfig, make_config: Any, teacher: Path
) -> None:
    kd = {"kind": kind, "weight": 1.0}
    config = make_config("student", teacher=teacher, model=model, kd=kd, trainer={"epochs": 1})
    rows = numbers(train_student(config))
    kd = [float.fromhex(value) for (_, name), value in rows.items() if name == "train/kd"]
    assert len(kd) == 4
    assert all(value > 0 for value in kd)
    total = float.fromhex(rows[3, "train/nme"]) + float.fromhex(rows[3, "train/kd"])
    assert float.fromhex(rows[3, "train/loss"]) == pytest.approx(total, rel=1e-5)


def test_unlike_networks_losses_and_kinds_are_refused_before_anything_is_written(
    make_config: Any, teacher: Path, tmp_path: Path
) -> None:
    maps, points = STUDENT, EFLD
    cases: list[tuple[str, dict[str, Any]]] = [
        (r"--loss.name maps needs heatmaps, .*: take l1, nme", {"model": points, "loss": LossConfig("maps")}),
        (r"unknown --loss.name 'nmee': did you mean 'nme'", {"model": points, "loss": LossConfig("nmee")}),
        (r"--data.crop.size 64 and image_size 128", {"model": ModelConfig("efld", {"image_size": 128})}),
    ]
    kd_cases: list[tuple[str, dict[str, Any]]] = [
        (r"--kd.kind mse needs heatmaps, .* take coordinate or none", {"model": points, "kd": {"kind": "mse"}}),
        (r"--kd.kind gaussian needs landmarks, sigmas", {"model": points, "kd": {"kind": "gaussian"}}),
        (r"--kd.kind gaussian needs", {"model": maps, "kd": {"kind": "gaussian"}}),
        (
            r"--kd.inherit_heads needs heatmap networks",
            {"model": points, "kd": {"kind": "coordinate", "inherit_heads": True}},
        ),
        (
            r"--kd.kind feature needs a neck before the heads",
            {"model": ModelConfig("lite_hrnet_plus_10m"), "kd": {"kind": "feature"}},
        ),
    ]
    for message, changes in cases:
        with pytest.raises(ConfigError, match=message) as caught:
            train_teacher(make_config("run", **changes))
        assert "\n" not in str(caught.value)
    for message, changes in kd_cases:
        with pytest.raises(ConfigError, match=message) as caught:
            train_student(make_config("run", teacher=teacher, **changes))
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs" / "run").exists()


def _cross(make_config: Any, faces: Path, name: str, teacher: Path, **changes: Any) -> Any:
    """The main set with 51 points, once more as a set of five, and once without labels."""
    sets = [
        SetConfig("manifest", faces, "train", scheme="five", weight=0.5),
        SetConfig("manifest", faces, "train", labels="none"),
    ]
    model = replace(SMALL, options={**SMALL.options, "others": ["five"]})
    kd = {"kind": "coordinate", "weight": 1.0}
    data = {"sets": sets, **changes.pop("data", {})}
    return make_config(name, teacher=teacher, model=model, kd=kd, data=data, trainer={"epochs": 2}, **changes)


@pytest.fixture(scope="module")
def runs() -> dict[str, Path]:
    return {}


@pytest.fixture
def mixed(make_config: Any, faces: Path, teacher: Path, runs: dict[str, Path]) -> Path:
    """The run of `_cross`, the same one for every test."""
    if not runs:
        runs["whole"] = train_student(_cross(make_config, faces, "whole", teacher))
    return runs["whole"]


def test_several_data_sets_train_several_heads(mixed: Path) -> None:
    rows = numbers(mixed)
    steps = 2 * (18 * 3 // 4)
    assert max(step for step, _ in rows) == steps
    for name in ("inner51", "five", "kd", "loss"):
        assert [step for step, other in rows if other == f"train/{name}"] == list(range(1, steps + 1))
    net, spec = load_model(mixed / "best.ckpt", "five")
    assert spec.n_points == 5
    assert net(torch.rand(1, 3, 64, 64)).landmarks.shape == (1, 5, 2)


def test_a_mixed_training_is_resumed_to_the_bit(make_config: Any, faces: Path, teacher: Path, mixed: Path) -> None:
    original, calls = RunCheckpoints.on_train_batch_end, iter(range(1, 10**6))

    def crash(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if next(calls) == 17:
            raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunCheckpoints, "on_train_batch_end", crash)
        with pytest.raises(InterruptedError):
            train_student(_cross(make_config, faces, "crashed", teacher))
    again = train_student(_cross(make_config, faces, "crashed", teacher, resume=True, data={"workers": 2}))
    assert numbers(again) == numbers(mixed)
    values, others = (torch.load(f / "last.ckpt", weights_only=True)["state_dict"] for f in (again, mixed))
    assert all(torch.equal(value, others[name]) for name, value in values.items())
