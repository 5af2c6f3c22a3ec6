"""Validation, optimiser groups and learning rates of a training task."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import yaml

from distill.data.build import build_data
from distill.data.dataset import FaceDataset
from distill.data.readers import read_faces
from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.models import create_model
from distill.models.checkpoint import load_model
from distill.training import trainer
from distill.training.base_task import parameter_groups
from distill.training.callbacks.ema import WeightEMA
from distill.training.config import OptimConfig
from distill.training.fit import train_student, train_teacher
from distill.training.tasks import blank_prediction
from tests.support.host_reads import watch_host_reads
from tests.support.training_runs import numbers, rewritten
from tests.training.conftest import TEACHER


def test_validation_measures_marked_points_only(faces: Path, make_config: Any, tmp_path: Path) -> None:
    """Where a point lies that nobody marked must not decide which weights are kept."""
    found = []
    for position in (0.0, 70.0):

        def change(face: dict[str, Any], position: float = position) -> None:
            # The box and the stand-in are made of marked points, so nothing else differs.
            face["points"]["inner51"][7] = [position, position]
            face["known"] = {"inner51": [index != 7 for index in range(51)]}

        root = rewritten(faces, tmp_path / f"at_{position}", change)
        folder = train_teacher(make_config(f"at_{position}", data={"root": root}, trainer={"epochs": 1}))
        recorded, by_hand = validated(folder, root, 7)
        assert recorded == pytest.approx(by_hand, rel=1e-4)
        found.append(recorded)
    assert found[0] == found[1]


def validated(folder: Path, root: Path, unmarked: int) -> tuple[float, float]:
    """The NME a run recorded, and the one of its network without a point, by hand."""
    net, spec = load_model(folder / "best.ckpt")
    records = read_faces("manifest", root, ("val",))
    dataset, marked = FaceDataset(records, spec.crop, spec.scheme), [k for k in range(51) if k != unmarked]
    errors = []
    for index in range(len(dataset)):
        face = dataset[index]
        with torch.no_grad():
            predicted = net(face["image"][None].float() / 255).landmarks[0]
        distance = load_scheme(spec.scheme).eye_distance(face["landmarks"].numpy(), "ocular")
        errors.append(float((predicted - face["landmarks"]).norm(dim=-1)[marked].mean() / distance))
    recorded = json.loads((folder / "summary.json").read_text())["val_nme"]
    return recorded, sum(errors) / len(errors)


def test_faces_with_unmarked_eyes_are_validated_by_their_boxes(
    faces: Path, make_config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(face: dict[str, Any]) -> None:
        corner = load_scheme("inner51").points_of("ocular")[0]
        face["known"] = {"inner51": [index != corner for index in range(51)]}

    root = rewritten(faces, tmp_path / "eyeless", change)
    folder = train_teacher(make_config("eyeless", data={"root": root}, trainer={"epochs": 1}))
    assert json.loads((folder / "summary.json").read_text())["normaliser"] == "box"
    assert "Validation by the box distance" in capsys.readouterr().out


def test_faces_without_a_marked_point_are_not_validated_on(
    faces: Path, make_config: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def change(face: dict[str, Any]) -> None:
        if face["name"] == "20":
            face |= {"labels": "none", "known": {"inner51": [False] * 51}, "boxes": {"gt": [20, 20, 60, 60]}}

    config = make_config("blind", data={"root": rewritten(faces, tmp_path / "blind", change)})
    data = build_data(config.data, [config.data.scheme], config.seed, config.trainer.epochs)
    assert len(data.val) == 4
    assert "1 of 5 validation faces have no marked point and are left out" in caplog.text


_FOUR_POINTS = """\
name: mine
title: eye centres and mouth corners, image left first
n_points: 4
flip: [[0, 1], [2, 3]]
groups: {eyes: 0-1, mouth: 2-3}
edges: [{name: eyes, points: 0-1, closed: false}]
pupil: [[0], [1]]
"""


def test_a_scheme_without_eye_corners_trains(faces: Path, make_config: Any, tmp_path: Path) -> None:
    """These four points have pupils only."""
    four = yaml.safe_load(_FOUR_POINTS)
    scheme = tmp_path / "four.yaml"
    scheme.write_text(yaml.safe_dump(four))

    def change(face: dict[str, Any]) -> None:
        face["points"] = {str(scheme): face["points"]["inner51"][: four["n_points"]]}

    root = rewritten(faces, tmp_path / "four", change)
    folder = train_teacher(make_config("four", data={"root": root, "scheme": str(scheme)}, trainer={"epochs": 1}))
    assert json.loads((folder / "summary.json").read_text())["normaliser"] == "pupil"


def test_matrices_decay_and_vectors_do_not() -> None:
    """Decaying the scale of SwinV2's attention, (h, 1, 1), would soften it for no reason."""
    net = create_model("swin_v2", "inner51", **TEACHER.options)
    decayed = {
        id(p) for group in parameter_groups(net, OptimConfig()) if group["weight_decay"] for p in group["params"]
    }
    kinds = {name: id(parameter) in decayed for name, parameter in net.named_parameters()}
    assert {kinds[name] for name in kinds if name.endswith((".logit_scale", ".bias", "norm1.weight"))} == {False}
    assert {kinds[name] for name in kinds if name.endswith(("qkv.weight", "fc1.weight", "heatmap.weight"))} == {True}


def test_the_schedule_warms_up_and_ends_near_zero(make_config: Any) -> None:
    folder = train_teacher(make_config("run", optim={"warmup": 0.25, "lr": 1e-3}))
    rates = [float.fromhex(v) for (_, name), v in numbers(folder).items() if name == "train/lr"]
    # Recorded after the step: the rate of the step to come.
    assert rates[:3] == pytest.approx([2e-3 / 3, 1e-3, 1e-3])
    assert all(later < earlier for earlier, later in pairwise(rates[2:]))
    assert rates[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("arch", "remedy"),
    [
        ("hrnet_w18", "take 64 or 96"),
        ("mobilevit_v2_050", "take 64 or 128"),
        ("pfld_100", "has an image_size, make both"),
    ],
)
def test_a_crop_that_does_not_fit_is_answered_with_sizes_that_do(arch: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=rf"--data\.crop\.size 77 does not fit the network .*{remedy}"):
        blank_prediction(create_model(arch, "inner51"), 77)


class WatchedEMA(WeightEMA):
    """Watches each step, from its batch to the moving average of its weights."""

    found: ClassVar[list[list[str]]] = []

    def on_train_batch_start(self, *args: Any) -> None:
        super().on_train_batch_start(*args)
        self.watch = watch_host_reads()
        self.found.append(self.watch.__enter__())

    def on_train_batch_end(self, *args: Any) -> None:
        super().on_train_batch_end(*args)
        self.watch.__exit__(None, None, None)


@pytest.mark.parametrize("kind", ["kl", "coordinate"])
def test_no_step_makes_a_gpu_wait(kind: str, make_config: Any, teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read are the norm of the gradient, on a CPU alone, and the count of averages, which stays on the CPU."""
    monkeypatch.setattr(trainer, "WeightEMA", WatchedEMA)
    monkeypatch.setattr(WatchedEMA, "found", [])
    config = make_config("s", teacher=teacher, kd={"kind": kind}, trainer={"epochs": 1}, log={"every": 100})
    train_student(config)
    assert len(WatchedEMA.found) == 4
    reads = {read for step in WatchedEMA.found for read in step}
    assert {read for read in reads if "norm.isfinite()" not in read and "n_averaged" not in read} == set()
