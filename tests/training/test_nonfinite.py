"""A step with NaN names its photos and loss terms, and can be left out without a trace in the weights."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from distill.errors import ConfigError, TrainingError
from distill.training.fit import train_teacher
from distill.training.nonfinite import MOST_IN_A_ROW
from distill.training.tasks import LandmarkTask
from tests.support.training_runs import numbers, rewritten, weights
from tests.training.conftest import TEACHER

FACE = 7


@pytest.fixture
def broken_face(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], None]:
    """Make the loss of these faces NaN, as an activation of 1e30 does."""

    def break_faces(faces: set[int]) -> None:
        losses = LandmarkTask.losses

        def broken(self: Any, batch: Any) -> dict[str, Tensor]:
            terms = losses(self, batch)
            if not faces & {int(index) for index in batch["index"]}:
                return terms
            bad = torch.full((), torch.nan)
            return {name: value * bad if name in ("l1", "loss") else value for name, value in terms.items()}

        monkeypatch.setattr(LandmarkTask, "losses", broken)

    return break_faces


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_step_the_photo_and_the_term_are_named(make_config: Any, broken_face: Any, accumulate: int) -> None:
    broken_face({FACE})
    config = make_config("run", trainer={"accumulate": accumulate})
    with pytest.raises(TrainingError, match=rf"at step [1-5]: loss term l1 nan, of photo {FACE};") as caught:
        train_teacher(config)
    assert "\n" not in str(caught.value)


def test_a_skipped_step_leaves_finite_weights_and_is_counted(
    make_config: Any, broken_face: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_face({FACE})
    config = make_config("run", trainer={"nonfinite": "skip"})
    folder = train_teacher(config)
    assert all(bool(value.isfinite().all()) for value in weights(folder / "last.ckpt").values())
    recorded = numbers(folder)
    assert float.fromhex(recorded[max(step for step, _ in recorded), "train/skipped"]) == 3  # once an epoch
    assert torch.load(folder / "last.ckpt", weights_only=True)["skipped"] == 3
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("skipped step")]
    assert len(lines) == 3
    assert all(f"loss term l1 nan, of photo {FACE}" in line for line in lines)


def test_skipping_without_cause_changes_nothing(make_config: Any) -> None:
    first = numbers(train_teacher(make_config("first")))
    other = numbers(train_teacher(make_config("other", trainer={"nonfinite": "skip"})))
    assert {key: value for key, value in other.items() if key[1] != "train/skipped"} == first


def test_a_training_of_skipped_steps_stops(make_config: Any, broken_face: Any) -> None:
    broken_face(set(range(100)))
    config = make_config("run", trainer={"nonfinite": "skip", "epochs": 12, "validate_every": 12})
    with pytest.raises(TrainingError, match=f"{MOST_IN_A_ROW + 1} steps in a row were skipped"):
        train_teacher(config)


@pytest.mark.parametrize("value", [1e30, float("inf"), float("nan"), -1.0])
@pytest.mark.parametrize("name", ["lr", "head_lr", "weight_decay"])
def test_absurd_rates_are_refused(make_config: Any, name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"--optim\.{name} .* must be in \[0, 100\]"):
        make_config("run", optim={name: value})


def _move_validation(face: dict[str, Any]) -> None:
    if face["subset"] == "val":
        face["points"]["inner51"][0][0] += 0.5


def _move_training(face: dict[str, Any]) -> None:
    if face["subset"] == "train":
        face["points"]["inner51"][0][0] += 0.5


def test_corrected_validation_faces_are_accepted_on_request(make_config: Any, faces: Path, tmp_path: Path) -> None:
    folder = train_teacher(make_config("run"))
    before = weights(folder / "last.ckpt")
    for name, change in (("val", _move_validation), ("train", _move_training)):
        rewritten(faces, tmp_path / name, change)
    resumed = make_config("run", data={"root": tmp_path / "val"})
    config = (folder / "config.yaml").read_text()
    with pytest.raises(ConfigError, match="--accept_data if validation faces were corrected"):
        train_teacher(replace(resumed, resume=True))
    assert (folder / "config.yaml").read_text() == config, "what was refused did not train this run"
    train_teacher(replace(resumed, resume=True, accept_data=True))
    assert str(tmp_path / "val") in (folder / "config.yaml").read_text()
    assert weights(folder / "last.ckpt").keys() == before.keys()
    other = make_config("run", data={"root": tmp_path / "train"})
    with pytest.raises(ConfigError, match=r"train_hash (?!.*accept_data)"):
        train_teacher(replace(other, resume=True, accept_data=True))
    with pytest.raises(ConfigError, match="--accept_data has no effect without --resume"):
        replace(resumed, accept_data=True)


def test_the_same_training_is_the_same_file(make_config: Any, tmp_path: Path) -> None:
    """A student names its teacher by the hash of its file."""
    config = make_config("run", model=TEACHER, trainer={"epochs": 1})
    first = train_teacher(config) / "best.ckpt"
    other = train_teacher(replace(config, runs=tmp_path / "again")) / "best.ckpt"
    assert first.read_bytes() == other.read_bytes()


@pytest.fixture
def broken_validations(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], None]:
    """Make the predictions for one face NaN in the validations at these steps, as activations that overflow do."""

    def break_steps(steps: set[int]) -> None:
        forward = LandmarkTask.forward

        def broken(self: Any, images: Tensor) -> Any:
            prediction = forward(self, images)
            if not self.training and self.global_step in steps:
                prediction.landmarks[0] = torch.nan
            return prediction

        monkeypatch.setattr(LandmarkTask, "forward", broken)

    return break_steps


def test_a_validation_that_is_not_finite_is_announced_and_not_the_best(
    make_config: Any, broken_validations: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_validations({12})
    folder = train_teacher(make_config("run"))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("validation at")]
    assert [line.partition(";")[0] for line in lines] == [
        "validation at step 12: the predictions for 2 of 5 faces are not finite"
    ]
    assert json.loads((folder / "summary.json").read_text())["best_step"] in (4, 8)


def test_a_training_without_a_finite_validation_fails(make_config: Any, broken_validations: Any) -> None:
    broken_validations({4, 8, 12})
    config = make_config("run")
    with pytest.raises(TrainingError, match=r"run: no validation had finite predictions for all faces, so there is no"):
        train_teacher(config)
    assert not (config.runs / "run" / "best.ckpt").exists()
    assert (config.runs / "run" / "last.ckpt").is_file()
