"""Training runs end to end on made faces: what they leave, what they refuse, what does not change them."""

import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from distill.cli.options import options_of, parse
from distill.data.build import build_data
from distill.data.config import CropConfig, SetConfig
from distill.data.dataset import FaceDataset
from distill.data.readers import read_faces
from distill.detection.detector import Detection
from distill.errors import CheckpointError, ConfigError, TrainingError
from distill.geometry import Box
from distill.landmarks import load_scheme
from distill.models import create_model
from distill.models.checkpoint import load_model
from distill.models.config import ModelConfig
from distill.training import fit as module
from distill.training.callbacks.checkpointing import RunCheckpoints
from distill.training.config import OptimConfig, RunConfig, StudentConfig
from distill.training.fit import train_student, train_teacher
from distill.training.loggers.csv import CsvLog, plain_config
from distill.training.loggers.metrics_csv import read_rows
from distill.training.tasks import LandmarkTask, parameter_groups
from tests.training.conftest import TEACHER


def numbers(folder: Path) -> dict[tuple[int, str], str]:
    """Every number of a run to the last bit; one recorded twice is an error."""
    rows = read_rows(folder / "metrics.csv")
    assert len({(step, name) for step, name, _ in rows}) == len(rows), "recorded twice"
    return {(step, name): value.hex() for step, name, value in rows}


def weights(path: Path) -> dict[str, Any]:
    content = torch.load(path, weights_only=True)
    return {**content["state_dict"], **{f"current.{n}": v for n, v in content.get("current_model_state", {}).items()}}


def same_weights(first: Path, other: Path) -> bool:
    values, others = weights(first), weights(other)
    return values.keys() == others.keys() and all(torch.equal(value, others[name]) for name, value in values.items())


def rewritten(faces: Path, root: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Copy made faces, each changed."""
    shutil.copytree(faces, root)
    content = json.loads((root / "faces.json").read_text())
    for face in content["faces"]:
        change(face)
    (root / "faces.json").write_text(json.dumps(content))
    return root


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


def test_a_scheme_without_eye_corners_trains(faces: Path, make_config: Any, tmp_path: Path) -> None:
    """The four points of docs/tutorials/your-own-points.md have pupils only."""
    four = yaml.safe_load(
        re.search(r"```\n(name: mine.*?)```", Path("docs/tutorials/your-own-points.md").read_text(), re.DOTALL)[1]
    )
    scheme = tmp_path / "four.yaml"
    scheme.write_text(yaml.safe_dump(four))

    def change(face: dict[str, Any]) -> None:
        face["points"] = {str(scheme): face["points"]["inner51"][: four["n_points"]]}

    root = rewritten(faces, tmp_path / "four", change)
    folder = train_teacher(make_config("four", data={"root": root, "scheme": str(scheme)}, trainer={"epochs": 1}))
    assert json.loads((folder / "summary.json").read_text())["normaliser"] == "pupil"


def test_a_run_leaves_what_it_says(make_config: Any) -> None:
    config = make_config("run")
    folder = train_teacher(config)
    assert {path.name for path in folder.iterdir()} == {
        "best.ckpt", "last.ckpt", "metrics.csv", "config.yaml", "summary.json",
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


def test_a_run_knows_how_to_cut_out_detected_boxes(
    make_config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Detection(Box(10.0, 10.0, 70.0, 70.0), 0.9)
    monkeypatch.setattr("distill.data.build.FaceDetector", lambda: lambda photo: [whole])
    config = make_config("run", trainer={"epochs": 1})
    _, spec = load_model(train_teacher(config) / "best.ckpt")
    assert spec.detected is not None
    assert spec.detected.scale == pytest.approx(config.data.crop.scale * 44 / 60, rel=0.1)
    assert "The detector finds 18 of 18 training faces: its box is cut out 0." in (printed := capsys.readouterr().out)
    assert re.search(r"a gt box 1\.\d+, \d+ % of a crop off", printed)
    assert """--data.boxes '["gt", "detector"]' would also train""" in printed
    monkeypatch.setattr("distill.data.build.FaceDetector", lambda: lambda photo: [])
    _, spec = load_model(train_teacher(make_config("other", trainer={"epochs": 1})) / "best.ckpt")
    assert spec.detected is None
    assert "finds 0 of 18 training faces: its boxes will be cut out as gt boxes are" in capsys.readouterr().out


def test_training_on_detector_boxes_shows_as_much_of_every_face(
    make_config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Detection(Box(10.0, 10.0, 70.0, 70.0), 0.9)
    monkeypatch.setattr("distill.data.build.FaceDetector", lambda: lambda photo: [whole])
    config = make_config("run", trainer={"epochs": 1}, data={"boxes": ["gt", "detector"]})
    data = build_data(config.data, [config.data.scheme], config.seed, config.trainer.epochs)
    assert isinstance(data.train, FaceDataset)
    assert data.train.detector_crop.scale == pytest.approx(config.data.crop.scale * 44 / 60, rel=0.1)
    assert all(record.boxes["detector"] == whole.box for record in data.train.records)
    _, spec = load_model(train_teacher(config) / "best.ckpt")
    assert spec.detected == data.train.detector_crop
    monkeypatch.setattr("distill.data.build.FaceDetector", lambda: lambda photo: [])
    with pytest.raises(ConfigError, match="finds 0 of 18 faces, too few to train on detector boxes"):
        train_teacher(make_config("other", data={"boxes": ["gt", "detector"]}))
    with pytest.raises(ConfigError, match="must begin with gt or dataset"):
        make_config("other", data={"boxes": ["detector", "gt"]})


def test_workers_change_nothing(make_config: Any) -> None:
    folders = [
        train_teacher(make_config(f"workers{n}", data={"workers": n, "cache": n == 1}, trainer={"epochs": 1}))
        for n in (0, 1, 2)
    ]
    assert numbers(folders[0]) == numbers(folders[1]) == numbers(folders[2])
    assert same_weights(folders[0] / "last.ckpt", folders[1] / "last.ckpt")
    assert same_weights(folders[0] / "last.ckpt", folders[2] / "last.ckpt")


def test_another_seed_is_another_run(make_config: Any) -> None:
    folders = [train_teacher(make_config(f"seed{n}", seed=n, trainer={"epochs": 1})) for n in (0, 1)]
    assert numbers(folders[0])[1, "train/loss"] != numbers(folders[1])[1, "train/loss"]


def test_an_existing_run_is_not_overwritten(make_config: Any) -> None:
    folder = train_teacher(make_config("run", trainer={"epochs": 1}))
    before = (folder / "last.ckpt").read_bytes()
    with pytest.raises(ConfigError, match="this run exists; continue it with --resume, or choose another --name"):
        train_teacher(make_config("run", trainer={"epochs": 1}))
    assert (folder / "last.ckpt").read_bytes() == before


def test_nothing_to_resume(make_config: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"last\.ckpt: nothing to resume; start the run without --resume"):
        train_teacher(make_config("run", resume=True))
    assert not (tmp_path / "runs").exists()


def test_crops_of_another_size_than_the_network_are_refused(make_config: Any, tmp_path: Path) -> None:
    config = make_config("run")
    options = {**config.model.options, "image_size": 96}
    with pytest.raises(ConfigError, match=r"--data\.crop\.size 64 and image_size 96 of --model\.options differ"):
        train_teacher(make_config("run", model={"options": options}))
    assert not (tmp_path / "runs").exists()


class _CrashError(Exception):
    """Stands for a kill; all that runs after it is Lightning's clean-up."""


def _crash_in(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, call: int, after: bool) -> None:
    """Let a method fail on its n-th call, before or after it did its work."""
    original, calls = getattr(owner, method), iter(range(1, 10**6))

    def failing(self: Any, *args: Any, **kwargs: Any) -> Any:
        call_number = next(calls)
        if call_number == call and not after:
            raise _CrashError
        result = original(self, *args, **kwargs)
        if call_number == call:
            raise _CrashError
        return result

    monkeypatch.setattr(owner, method, failing)


CRASHES = {
    "in a step that was saved": (RunCheckpoints, "on_train_batch_end", 6, True),
    "in a step that was not saved": (RunCheckpoints, "on_train_batch_end", 7, False),
    "in the middle of a validation": (LandmarkTask, "validation_step", 3, True),
    "after a validation was recorded, before it was saved": (RunCheckpoints, "on_validation_end", 2, False),
    "right after a validation was saved": (RunCheckpoints, "on_validation_end", 2, True),
    "after the last validation": (RunCheckpoints, "on_validation_end", 3, True),
    "before anything was saved": (CsvLog, "log_metrics", 1, True),
}


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("where", CRASHES)
def test_resuming_a_crashed_run_changes_nothing(where: str, make_config: Any, uninterrupted: dict[str, Any]) -> None:
    if not uninterrupted:
        folder = train_teacher(make_config("whole"))
        uninterrupted.update(
            numbers=numbers(folder), **{kind: weights(folder / f"{kind}.ckpt") for kind in ("last", "best")}
        )
    with pytest.MonkeyPatch.context() as patch:
        _crash_in(patch, *CRASHES[where])
        with pytest.raises(_CrashError):
            train_teacher(make_config("crashed"))
    folder = make_config("crashed").runs / "crashed"
    folder = train_teacher(make_config("crashed", resume=(folder / "last.ckpt").exists()))
    assert numbers(folder) == uninterrupted["numbers"]
    for kind in ("last", "best"):
        values, others = weights(folder / f"{kind}.ckpt"), uninterrupted[kind]
        assert all(torch.equal(value, others[name]) for name, value in values.items()), kind


def test_resuming_a_finished_run_changes_nothing(make_config: Any) -> None:
    folder = train_teacher(make_config("run", trainer={"epochs": 1}))
    before = numbers(folder), weights(folder / "last.ckpt")
    summary = json.loads((folder / "summary.json").read_text())
    train_teacher(make_config("run", resume=True, trainer={"epochs": 1}))
    assert numbers(folder) == before[0]
    assert all(torch.equal(value, before[1][name]) for name, value in weights(folder / "last.ckpt").items())
    again = json.loads((folder / "summary.json").read_text())
    assert {**again, "seconds": 0} == {**summary, "seconds": 0}


def test_another_training_is_not_resumed(make_config: Any) -> None:
    """What is learnt must stay as it was; where it runs may change."""
    train_teacher(make_config("run", trainer={"epochs": 1}))
    with pytest.raises(ConfigError, match=r"--optim.lr was .*, now it is 0.5; resume with the same options"):
        train_teacher(make_config("run", resume=True, trainer={"epochs": 1}, optim={"lr": 0.5}))
    train_teacher(make_config("run", resume=True, trainer={"epochs": 1, "checkpoint_every": 7}))


def test_a_moved_folder_is_resumed_and_other_faces_or_teachers_are_not(
    faces: Path, make_config: Any, teacher: Path, tmp_path: Path
) -> None:
    """Paths may change between two starts; what lies there may not."""
    moved = shutil.copytree(faces, tmp_path / "moved")
    elsewhere = shutil.copy(teacher, tmp_path / "elsewhere.ckpt")

    def change(face: dict[str, Any]) -> None:
        face["points"]["inner51"][0][0] += 0.5

    other = rewritten(faces, tmp_path / "other", change)
    second = train_teacher(make_config("second", trainer={"epochs": 1}, seed=1)) / "best.ckpt"

    def start(root: Path, by: Path, **changes: Any) -> None:
        sets = [SetConfig("manifest", root, "train")]
        data = {"root": root, "sets": sets}
        train_student(make_config("run", teacher=by, data=data, trainer={"epochs": 1}, **changes))

    start(faces, teacher)
    start(moved, elsewhere, resume=True)
    with pytest.raises(ConfigError, match=r"was started with train_hash .*, now it is .*; resume with the same files"):
        start(other, teacher, resume=True)
    with pytest.raises(ConfigError, match=r"was started with teachers .*, now it is"):
        start(faces, second, resume=True)


@pytest.mark.parametrize("every", [1, 100])
def test_a_diverged_training_stops_and_saves_nothing_of_it(every: int, make_config: Any) -> None:
    config = make_config("run", optim={"lr": 1e30, "head_lr": 1e30, "ema": 0.0}, log={"every": every})
    with pytest.raises(TrainingError, match=r"training diverged: the norm of the gradient is \w+ at step \d+ \(.*star"):
        train_teacher(config)
    for path in (config.runs / "run").glob("*.ckpt"):
        assert all(torch.isfinite(value).all() for value in weights(path).values() if value.is_floating_point())


def test_what_is_not_there_is_one_line(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"--log\.wandb offline needs wandb, which is not installed .*disabled"):
        train_teacher(make_config("run", log={"wandb": "offline"}))
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match=r"--trainer: this machine cannot do that"):
            train_teacher(make_config("other", trainer={"accelerator": "gpu"}))


@pytest.mark.slow
def test_two_processes_train_what_takes_part_in_some_losses_only(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spread of a landmark has no part in the loss of points; a step must not wait for its gradient."""
    model = ModelConfig("efld", {"image_size": 64, "uncertainty": True})
    config = make_config("two", model=model, trainer={"epochs": 1, "devices": 2}, data={"cache": False})
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(plain_config(config)))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = [sys.executable, "-m", "distill", "teacher", "--config", str(tmp_path / "two.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((config.runs / "two" / "summary.json").read_text())["steps"] == 18 // 8


def test_stopping_early_is_final(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A learning rate of 0 never improves; killed after it stopped, a run does not go on."""
    changes: dict[str, Any] = {"optim": {"lr": 0.0, "head_lr": 0.0, "ema": 0.0, "weight_decay": 0.0}}
    changes["trainer"] = {"epochs": 6, "patience": 1}
    folder = train_teacher(make_config("run", **changes))
    steps = json.loads((folder / "summary.json").read_text())["steps"]
    assert steps < 24
    before = numbers(folder)
    train_teacher(make_config("run", resume=True, **changes))
    assert numbers(folder) == before
    assert json.loads((folder / "summary.json").read_text())["steps"] == steps


@pytest.fixture
def teacher(make_config: Any) -> Path:
    return train_teacher(make_config("teacher", trainer={"epochs": 1})) / "best.ckpt"


def test_a_student_learns_beside_a_teacher_that_stays_as_it_is(
    make_config: Any, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, tasks = teacher.read_bytes(), []
    monkeypatch.setattr(module.StudentTask, "on_fit_end", lambda self: tasks.append(self), raising=False)
    config = make_config("student", teacher=teacher, kd={"inherit_heads": True})
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
    assert len(kd) == 12
    assert all(value > 0 for value in kd)
    again = parse(options_of("student", "", StudentConfig), ["--config", str(folder / "config.yaml")])
    assert StudentConfig(**again) == config


def test_distillation_fades_linearly(make_config: Any, teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visited = []
    original = module.StudentTask.kd_weight
    monkeypatch.setattr(module.StudentTask, "kd_weight", lambda self: visited.append(original(self)) or visited[-1])
    train_student(make_config("student", teacher=teacher, kd={"decay": "linear", "kind": "kl"}, trainer={"epochs": 1}))
    assert visited == pytest.approx([100, 75, 50, 25])


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


def test_a_loaded_configuration_is_plain_yaml(make_config: Any, teacher: Path) -> None:
    folder = train_student(make_config("student", teacher=teacher, trainer={"epochs": 1}))
    content = yaml.safe_load((folder / "config.yaml").read_text())
    assert content["kd"]["kind"] == "mse"
    assert content["teacher"] == str(teacher)
    assert "resume" not in content
    assert not math.isnan(content["optim"]["lr"])
