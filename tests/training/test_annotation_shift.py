"""The shift of annotations is measured after a training, where it is one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.data.augment import AugmentConfig
from distill.data.config import SetConfig
from distill.data.dataset import FaceDataset
from distill.data.readers import read_faces
from distill.data.synthetic import write_faces as generated
from distill.geometry import CropSpec
from distill.models.checkpoint import load_model
from distill.models.zoo import create_model
from distill.spec import ModelSpec
from distill.training.annotation_shift import group_residuals, significant_mean, unlearnt_shift
from distill.training.fit import train_teacher
from distill.training.teacher import FrozenTeacher
from tests.training.conftest import SIZE, TEACHER, write_faces

RIGHT = 4.0


def moved_annotations(root: Path, right: float) -> Path:
    """Write drawn faces whose annotations lie `right` pixels beside the points that are drawn."""
    write_faces(root, 24)
    content = json.loads((root / "faces.json").read_text())
    for face in content["faces"]:
        points = np.array(face["points"]["inner51"]) + [right, 0]
        face["points"]["inner51"] = points.tolist()
    (root / "faces.json").write_text(json.dumps(content))
    return root


@pytest.mark.parametrize(("flip", "expected"), [(0.5, True), (0.0, False)])
def test_a_training_with_mirrored_faces_stores_it(
    flip: float, expected: bool, tmp_path: Path, make_config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    root = moved_annotations(tmp_path / "moved", RIGHT)
    config = make_config("run", data={"root": root, "augment": AugmentConfig(flip=flip)}, trainer={"epochs": 2})
    folder = train_teacher(config)
    net, spec = load_model(folder / "best.ckpt")
    shift = spec.annotation_shift
    assert ("of a crop to the right of the predictions" in capsys.readouterr().out) == expected
    if not expected:
        assert shift == 0
        return
    assert 0 < shift < 0.1
    assert torch.equal(net.head[0].shift.shift, torch.tensor([shift, 0.0]))
    assert load_model(folder / "last.ckpt")[1].annotation_shift == 0, "a resumed training measures again"


def test_a_shift_too_far_is_reported_and_not_stored(
    tmp_path: Path, make_config: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.training.annotation_shift.MAX_SHIFT", 0.001)
    root = moved_annotations(tmp_path / "far", RIGHT)
    folder = train_teacher(make_config("run", data={"root": root}, trainer={"epochs": 2}))
    assert "too far for an annotation shift: none is stored" in capsys.readouterr().out
    assert load_model(folder / "best.ckpt")[1].annotation_shift == 0
    assert json.loads((folder / "summary.json").read_text())["annotation_shift"] == 0


def test_faces_of_another_scheme_are_measured_in_that_of_the_network(
    tmp_path: Path, make_config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The main faces of several data sets keep their own points; the network predicts those of the run."""
    root = tmp_path / "faces68"
    generated(root, 24, seed=0, size=64, difficulty=0)
    sets = [SetConfig("manifest", root, labels="none")]
    data = {"root": root, "subset": None, "val_subset": None, "scheme": "inner51", "sets": sets, "val_fraction": 0.2}
    folder = train_teacher(make_config("run", data=data, trainer={"epochs": 1}))
    assert "was not measured" not in capsys.readouterr().out
    assert "annotation_shift" in json.loads((folder / "summary.json").read_text())


def test_rarely_mirrored_faces_leave_less_to_add() -> None:
    """A network that sees a tenth mirrored predicts 0.8 of the shift itself; one that sees all, its opposite."""
    residuals = np.random.default_rng(0).normal(0.01, 0.001, 400).tolist()
    assert unlearnt_shift(residuals, 0.5) == pytest.approx(0.01, abs=2e-4)
    assert unlearnt_shift(residuals, 0.1) == pytest.approx(0.002, abs=1e-4)
    assert unlearnt_shift(residuals, 1.0) == pytest.approx(0.02, abs=4e-4)


def test_faces_of_one_group_count_once(faces: Path) -> None:
    """Forty frames of a clip are not forty photos."""
    records = [replace(face, group="clip") for face in read_faces("manifest", faces, ("train",))]
    data = FaceDataset(records, CropSpec(SIZE, 1.3), "inner51")
    net = create_model(TEACHER.arch, "inner51", **TEACHER.options).eval()
    symmetric = FrozenTeacher([net], [ModelSpec(TEACHER.arch, "inner51", 51, data.crop)], flip=True)
    assert len(group_residuals(symmetric, data, torch.device("cpu"))) == 1


def test_only_a_mean_far_from_chance_counts() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 400)
    assert significant_mean(noise.tolist()) == 0
    assert significant_mean((noise + 0.004).tolist()) == pytest.approx(0.004, abs=0.001)
    assert significant_mean([*(noise - 0.004), float("nan")]) == pytest.approx(-0.004, abs=0.001)
    assert significant_mean([0.01] * 19) == 0, "too few faces to say"
