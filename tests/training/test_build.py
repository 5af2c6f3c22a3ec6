"""Parts of a run built from its configuration: data, network, crop of the detector's boxes."""

import re
from pathlib import Path
from typing import Any

import pytest

from distill.data.build import build_data
from distill.data.config import SetConfig
from distill.data.dataset import FaceDataset
from distill.detection.detector import Detection
from distill.errors import ConfigError
from distill.geometry import Box
from distill.losses.config import LossConfig
from distill.models.checkpoint import load_model
from distill.training.fit import train_teacher
from distill.training.loggers.csv import read_rows
from tests.training.conftest import STUDENT


def test_a_run_stores_how_to_cut_out_detected_boxes(
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


def test_crops_of_another_size_than_the_network_are_refused(make_config: Any, tmp_path: Path) -> None:
    config = make_config("run")
    options = {**config.model.options, "image_size": 96}
    with pytest.raises(ConfigError, match=r"--data\.crop\.size 64 and image_size 96 of --model\.options differ"):
        train_teacher(make_config("run", model={"options": options}))
    assert not (tmp_path / "runs").exists()


def test_a_loss_that_does_not_fit_is_refused_before_the_faces_are_read(
    make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.training.build.build_data", lambda *_, **__: pytest.fail("read the faces"))
    with pytest.raises(ConfigError, match="star"):
        train_teacher(make_config("run", loss=LossConfig("wing", star=2.0)))


def test_faces_with_fewer_points_train_a_network_of_maps(make_config: Any, faces: Path) -> None:
    sets = [SetConfig("manifest", faces, "train", scheme="five")]
    folder = train_teacher(make_config("run", model=STUDENT, data={"sets": sets}, trainer={"epochs": 1}))
    terms = {name: value for step, name, value in read_rows(folder / "metrics.csv") if step == 1}
    assert terms["train/five"] > 0
    assert terms["train/loss"] == pytest.approx(terms["train/inner51"] + terms["train/five"], rel=1e-5)
