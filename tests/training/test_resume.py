"""Which runs are resumed, and with which changes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.data.config import CropConfig, SetConfig
from distill.errors import CheckpointError, ConfigError
from distill.training.fit import train_student, train_teacher
from tests.support.training_runs import numbers, rewritten, weights


def test_nothing_to_resume(make_config: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"last\.ckpt: nothing to resume; start the run without --resume"):
        train_teacher(make_config("run", resume=True))
    assert not (tmp_path / "runs").exists()


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


def test_a_crop_that_was_given_is_not_replaced_by_the_one_the_faces_need(make_config: Any) -> None:
    """Without the option, the crop is known only after the faces were read, and the run must not go on with another."""
    given = {"crop": CropConfig(64, 1.9, 0.0)}
    unknown = {"crop": CropConfig(64, None, None)}
    folder = train_teacher(make_config("run", trainer={"epochs": 1}, data=given))
    before = (folder / "config.yaml").read_text()
    with pytest.raises(ConfigError, match=r"--data.crop.scale was 1.9, now it is .*; resume with the same options"):
        train_teacher(make_config("run", resume=True, trainer={"epochs": 1}, data=unknown))
    assert (folder / "config.yaml").read_text() == before
    chosen = train_teacher(make_config("chosen", trainer={"epochs": 1}, data=unknown))
    assert train_teacher(make_config("chosen", resume=True, trainer={"epochs": 1}, data=unknown)) == chosen


def test_a_moved_folder_is_resumed_and_other_faces_or_teachers_are_not(
    faces: Path, make_config: Any, teacher: Path, student: Path, tmp_path: Path
) -> None:
    """Paths may change between two starts; what lies there may not."""
    moved = shutil.copytree(faces, tmp_path / "moved")
    elsewhere = shutil.copy(teacher, tmp_path / "elsewhere.ckpt")

    def change(face: dict[str, Any]) -> None:
        face["points"]["inner51"][0][0] += 0.5

    other = rewritten(faces, tmp_path / "other", change)

    def start(root: Path, by: Path, **changes: Any) -> None:
        sets = [SetConfig("manifest", root, "train")]
        data = {"root": root, "sets": sets}
        train_student(make_config("run", teacher=by, data=data, trainer={"epochs": 1}, **changes))

    start(faces, teacher)
    start(moved, elsewhere, resume=True)
    with pytest.raises(ConfigError, match=r"was started with train_hash .*, now it is .*; resume with the same files"):
        start(other, teacher, resume=True)
    with pytest.raises(ConfigError, match=r"was started with teachers .*, now it is"):
        start(faces, student / "best.ckpt", resume=True)
