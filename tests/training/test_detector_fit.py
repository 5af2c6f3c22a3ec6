"""A detector's training: it learns, is resumed bit by bit, and refuses what would make it another training."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from distill.cli.main import main
from distill.data.photos.build import build_photos
from distill.detection.retinaface.anchors import AnchorConfig, anchor_boxes
from distill.detection.retinaface.coding import corners
from distill.detection.retinaface.distillation import DetectorKDConfig
from distill.detection.retinaface.loss import Faces
from distill.detection.retinaface.matching import NOT_COUNTED, MatchConfig, match
from distill.detection.retinaface.net import RetinaFace
from distill.errors import ConfigError
from distill.files import sha256
from distill.models.detector_checkpoint import DetectorSpec, load_detector, save_detector
from distill.tracking.lineage import read_jobs
from distill.training.callbacks.checkpointing import RunCheckpoints
from distill.training.config import LogConfig, OptimConfig
from distill.training.detector_config import DetectorConfig
from distill.training.detector_fit import _require_started, train_detector
from distill.training.detector_task import DetectorTask
from distill.training.loggers.csv import plain_config
from distill.training.loggers.metrics_csv import read_rows
from tests.support.detector_runs import STEPS_PER_EPOCH, small_detector, write_detector_photos
from tests.support.lock_owner import locked_by_another
from tests.support.wandb_files import read_wandb

EPOCHS = 2
STEPS = EPOCHS * STEPS_PER_EPOCH


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> DetectorConfig:
    root = tmp_path_factory.mktemp("photos")
    write_detector_photos(root)
    return small_detector(root, EPOCHS)


@pytest.fixture(scope="module")
def whole(config: DetectorConfig) -> Path:
    return train_detector(replace(config, name="whole"))


def checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "last.ckpt", weights_only=True)


def train_interrupted(config: DetectorConfig, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train until two steps after the last checkpoint, where training fails, and resume."""
    step = DetectorTask.training_step

    def fail(task: DetectorTask, batch: Any, batch_idx: int) -> Any:
        if task.global_step == STEPS - 3:
            raise RuntimeError("killed")
        return step(task, batch, batch_idx)

    monkeypatch.setattr(DetectorTask, "training_step", fail)
    with pytest.raises(RuntimeError, match="killed"):
        train_detector(config)
    monkeypatch.undo()
    return train_detector(replace(config, resume=True))


@pytest.fixture(scope="module")
def expected(whole: Path) -> dict[str, Any]:
    """The last checkpoint of the run that nobody interrupted."""
    return checkpoint(whole)


@pytest.fixture(scope="module")
def tracked(config: DetectorConfig) -> Path:
    """The folder of a run that was interrupted, resumed, and recorded by W&B with a photo."""
    log = LogConfig("offline", project="faces", entity="lab", group="study", tags=["a"], notes="n", every=1, pictures=1)
    with pytest.MonkeyPatch.context() as patch:
        return train_interrupted(replace(config, name="tracked", log=log), patch)


def test_a_resumed_training_is_the_one_that_nobody_interrupted(
    whole: Path, expected: dict[str, Any], tracked: Path
) -> None:
    after = checkpoint(tracked)
    assert after["global_step"] == STEPS
    for name, value in expected["state_dict"].items():
        assert torch.equal(value, after["state_dict"][name]), name
    assert read_rows(tracked / "metrics.csv") == read_rows(whole / "metrics.csv")


def test_wandb_has_the_whole_run_and_no_folder(config: DetectorConfig, tracked: Path) -> None:
    """One run over both starts, the last of which holds every number; pictures as requested."""
    files = sorted(tracked.glob("wandb/offline-run-*/*.wandb"))
    assert len(files) == 2
    first, found = map(read_wandb, files)
    assert first.run["id"] == found.run["id"] == (tracked / "wandb_id.txt").read_text().strip()
    options = found.run.pop("config")
    assert found.run == {
        "id": found.run["id"], "project": "faces", "entity": "lab", "group": "study", "job_type": "detector",
        "name": "tracked", "notes": "n", "tags": ["a"],
    }  # fmt: skip
    rows = {(step, name): value for step, name, value in read_rows(tracked / "metrics.csv")}
    pictures = {key for key in found.numbers if key[1].startswith(("val/precision_recall/", "val/photos/"))}
    assert {name.split("/")[1] for _, name in pictures} == {"precision_recall", "photos"}
    assert {key: value for key, value in found.numbers.items() if key not in pictures} == rows
    summary = json.loads((tracked / "summary.json").read_text())
    for name in ("commit", "train_hash", "val_hash", "paste_hash", "weights", "train_photos", "train_faces"):
        assert options[name] == summary[name]
    assert options["data"]["sets"][0]["images"] == "images"
    assert str(config.runs.parent) not in repr(options)
    assert found.summary["val/ap"]["max"] == found.summary["best/val_ap"] == summary["val/ap"]
    assert found.summary["best/best_step"] == summary["best_step"]
    assert {name: a["metadata"]["faces"] for name, a in found.used.items()}["faces-pasted"] == 3
    assert found.logged["tracked-best"]["files"] == {"model.ckpt"}


def test_a_job_of_a_tracked_run_is_part_of_its_lineage(tracked: Path) -> None:
    (job,) = read_jobs(tracked)
    summary = json.loads((tracked / "summary.json").read_text())
    assert (job.type, job.metrics["val_ap"]) == ("detector", summary["val/ap"])
    assert {artifact.sha256 for artifact in job.inputs} == {
        summary[f"{part}_hash"] for part in ("train", "val", "paste")
    }
    assert [artifact.sha256 for artifact in job.outputs] == [sha256(tracked / "best.ckpt")]
    assert str(tracked.parent) not in (tracked / "lineage.jsonl").read_text()


@pytest.mark.parametrize(
    ("number", "target", "call"),
    [(signal.SIGTERM, "training_step", STEPS - 3), (signal.SIGINT, "validation_step", 2)],
)
def test_a_signal_saves_the_last_step_and_resuming_changes_nothing(
    number: signal.Signals,
    target: str,
    call: int,
    config: DetectorConfig,
    whole: Path,
    expected: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    original, calls = getattr(DetectorTask, target), iter(range(1, 1000))

    def stopped(*arguments: Any) -> Any:
        if next(calls) == call:
            os.kill(os.getpid(), number)
        return original(*arguments)

    monkeypatch.setattr(DetectorTask, target, stopped)
    run = replace(config, name=f"stopped_in_{target}")
    with pytest.raises(SystemExit) as caught:
        train_detector(run)
    monkeypatch.undo()
    folder = config.runs / run.name
    assert caught.value.code == 128 + number
    line = f"stopped by {number.name}: continue with --resume, from {folder / 'last.ckpt'}"
    assert line in capsys.readouterr().err.splitlines()
    assert checkpoint(folder)["global_step"] == (STEPS - 3 if target == "training_step" else STEPS // 2)
    train_detector(replace(run, resume=True))
    found = checkpoint(folder)["state_dict"]
    for name, value in expected["state_dict"].items():
        assert torch.equal(value, found[name]), name
    assert read_rows(folder / "metrics.csv") == read_rows(whole / "metrics.csv")


def test_a_second_training_in_a_folder_is_refused(config: DetectorConfig) -> None:
    """Another process holds its lock, which is released when the pipe to it closes."""
    folder = config.runs / "owned"
    with (
        locked_by_another(folder, "is training in") as pid,
        pytest.raises(ConfigError, match=f"process {pid} is training in this folder"),
    ):
        train_detector(replace(config, name="owned"))


def test_a_run_leaves_its_files(whole: Path, expected: dict[str, Any]) -> None:
    names = {name for _, name, _ in read_rows(whole / "metrics.csv")}
    assert {"val/ap", "val/recall", "val/recall_24px", "val/score"} <= names
    assert (whole / "best.ckpt").is_file()
    spec = expected["spec"]
    assert (spec["kind"], spec["width"], spec["pyramid"]) == ("retinaface", 0.25, 24)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "--seed"),
        ({"optim": OptimConfig(lr=1e-3)}, "--optim"),
        ({"resume": False}, "exists"),
    ],
)
def test_another_training_in_the_same_folder_is_refused(
    config: DetectorConfig, whole: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train_detector(replace(config, **{"name": whole.name, "resume": True, **change}))


def test_other_scenes_are_refused_on_resume(config: DetectorConfig, whole: Path) -> None:
    data = replace(config.data, scene=replace(config.data.scene, flip=0.1))
    before = (whole / "config.yaml").read_text()
    with pytest.raises(ConfigError, match="scene"):
        train_detector(replace(config, name=whole.name, resume=True, data=data))
    assert (whole / "config.yaml").read_text() == before, "what was refused did not train this run"


def test_the_command_reads_a_file(config: DetectorConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "detector.yaml"
    path.write_text(yaml.safe_dump({**plain_config(config), "name": "command"}))
    given_configs: list[DetectorConfig] = []
    monkeypatch.setattr("distill.training.detector_fit.train_detector", lambda given: given_configs.append(given))
    assert main(["detector", "--config", str(path)]) == 0
    assert given_configs == [replace(config, name="command")]


@pytest.mark.parametrize(("lowest", "best"), [(True, 0.2), (False, 0.9)])
def test_best_checkpoint_by_direction(tmp_path: Path, lowest: bool, best: float) -> None:
    class Trainer:
        sanity_checking, is_global_zero = False, True

        def __init__(self) -> None:
            self.global_step, self.callback_metrics = 0, dict[str, float]()
            self.strategy, self.written = SimpleNamespace(barrier=lambda name: None), list[str]()

        def save_checkpoint(self, path: Path, weights_only: bool) -> None:
            self.written.append(path.name)
            path.write_text(f"{self.global_step}")

    checkpoints, trainer = RunCheckpoints(tmp_path, 1, "val/ap", lowest), Trainer()
    for step, value in enumerate((0.5, 0.2, 0.9, 0.4)):
        trainer.global_step, trainer.callback_metrics = step, {"val/ap": value}
        checkpoints.on_validation_end(trainer, None)  # type: ignore[arg-type]
        assert (tmp_path / "last.ckpt").read_text() == f"{step}"
    assert checkpoints.best == best
    assert (tmp_path / "best.ckpt").read_text() == f"{checkpoints.best_step}"
    assert len(trainer.written) == 4, "a checkpoint that is both is written once and copied"


@pytest.fixture(scope="module")
def student(config: DetectorConfig, whole: Path) -> DetectorConfig:
    """A student of that run, also shown photos whose boxes it is not told."""
    data = replace(config.data, unlabelled=[config.data.sets[0].images])
    trainer = replace(config.trainer, epochs=1)
    log = LogConfig(wandb="disabled", every=3, gradients=9)
    kd = DetectorKDConfig(features=0.5)
    return replace(config, name="student", data=data, teacher=whole / "last.ckpt", kd=kd, trainer=trainer, log=log)


def test_a_student_learns_from_a_teacher_and_is_resumed_bit_by_bit(
    config: DetectorConfig, student: DetectorConfig, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train_detector(student)
    rows = read_rows(folder / "metrics.csv")
    names = {name for _, name, _ in rows}
    for term in ("kd_score", "kd_box", "kd_points", "kd_features"):
        assert {f"train/{term}", f"train/grad_norm_{term}"} <= names
    (job,) = read_jobs(folder)
    assert sha256(whole / "last.ckpt") in {artifact.sha256 for artifact in job.inputs if artifact.type == "model"}
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["teacher"] == sha256(whole / "last.ckpt")
    assert summary["train_photos"] == 8 + 10
    trained = checkpoint(folder)
    assert not any("teacher" in name for name in trained["state_dict"])
    assert sum(name.startswith("feature.align.") for name in trained["state_dict"]) == 2 * 3
    assert not any("align" in name for name in load_detector(folder / "best.ckpt")[0].state_dict())
    resumed = checkpoint(train_interrupted(replace(student, name="cut_student"), monkeypatch))
    for name, value in trained["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][name]), name


def test_another_teacher_is_refused_on_resume(student: DetectorConfig, tmp_path: Path) -> None:
    if not (student.runs / student.name).is_dir():
        train_detector(student)
    other = tmp_path / "other.safetensors"
    net = RetinaFace(student.model.net())
    save_detector(other, net, DetectorSpec(0.25, net.config.pyramid_or_default, student.model.anchors))
    with pytest.raises(ConfigError, match="was started with teacher"):
        train_detector(replace(student, resume=True, teacher=other))


def test_a_run_of_before_the_distillation_of_features_is_resumed(whole: Path, config: DetectorConfig) -> None:
    stored = yaml.safe_load((whole / "config.yaml").read_text())
    folder = whole.with_name("before")
    folder.mkdir()
    del stored["kd"]["features"]
    (folder / "config.yaml").write_text(yaml.safe_dump(stored))
    _require_started(folder, replace(config, name="before"))
    with pytest.raises(ConfigError, match="--kd was"):
        _require_started(folder, replace(config, name="before", kd=DetectorKDConfig(features=1.0)))


def test_the_distillation_of_features_needs_a_teacher(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detector", "--kd.features", "1"]) == 2
    assert "--kd.features has no effect here: it needs a teacher" in capsys.readouterr().err


def test_photos_without_boxes_are_background_to_nobody(student: DetectorConfig) -> None:
    data = replace(student.data, scene=replace(student.data.scene, mosaic=0.0, paste=0.0))
    photos = build_photos(data, seed=0, epochs=1).train
    sample = photos[0, len(photos) - 1]
    assert sample["ignored"].tolist() == [True]
    faces = Faces(sample["boxes"], sample["ignored"], sample["points"])
    anchors = AnchorConfig()
    matched = match(corners(anchor_boxes(anchors, 64, 64)), faces.boxes, faces.ignored, MatchConfig())
    assert set(matched.tolist()) == {NOT_COUNTED}


def test_a_teacher_must_fit_and_photos_without_boxes_need_one(
    config: DetectorConfig, student: DetectorConfig, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"--data.unlabelled: photos without boxes teach nothing without --teacher"):
        replace(student, teacher=None)
    anchors = replace(AnchorConfig(), sizes=((8.0, 12.0), (32.0, 48.0), (96.0, 160.0)))
    with pytest.raises(ConfigError, match=r"has other prior boxes: give the student the same --model.anchors"):
        train_detector(replace(student, name="unlike", model=replace(config.model, anchors=anchors)))
    with pytest.raises(ConfigError, match=f"--data.unlabelled {tmp_path}: no photo in it"):
        train_detector(replace(student, name="empty", data=replace(student.data, unlabelled=[tmp_path])))


def test_a_decay_of_heads_is_refused_as_a_detector_has_no_head(config: DetectorConfig) -> None:
    run = replace(config, name="heads", optim=OptimConfig(head_weight_decay=0.7))
    with pytest.raises(ConfigError, match=r"--optim.head_weight_decay has no effect: the network has no part called"):
        train_detector(run)
