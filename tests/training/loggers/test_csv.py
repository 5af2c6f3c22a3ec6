"""`metrics.csv` after a kill, and what of a configuration leaves the machine."""

from pathlib import Path
from typing import Any

import pytest

from distill.data.photos.config import PhotoDataConfig, PhotoSetConfig
from distill.training.detector_config import DetectorConfig
from distill.training.loggers.csv import CsvLog, plain_config
from distill.training.loggers.metrics_csv import read_rows
from distill.training.loggers.wandb import public_config


@pytest.fixture
def log(tmp_path: Path) -> CsvLog:
    log = CsvLog(tmp_path / "metrics.csv")
    log.rewind(0)
    for step in (1, 2, 3):
        log.log_metrics({"train/loss": 1 / (3 * step), "train/lr": 1e-3}, step=step)
    return log


def test_values_keep_all_their_digits(log: CsvLog) -> None:
    log.log_metrics({"a": 0.1 + 0.2, "b": float("nan"), "c": 5e-324}, step=4)
    values = {name: value for step, name, value in read_rows(log.path) if step == 4}
    assert values["a"].hex() == (0.1 + 0.2).hex()
    assert values["b"] != values["b"]
    assert values["c"] == 5e-324


def test_rewinding_drops_what_came_after(log: CsvLog) -> None:
    before = log.path.read_text()
    kept = log.rewind(2)
    assert kept == read_rows(log.path)
    assert before.startswith(log.path.read_text())
    assert {step for step, _, _ in kept} == {1, 2}
    log.log_metrics({"train/loss": 1 / 9, "train/lr": 1e-3}, step=3)
    assert log.path.read_text() == before


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_line_cut_short_is_dropped(log: CsvLog, cut: int) -> None:
    log.path.write_text(log.path.read_text()[:-cut])
    assert [row[:2] for row in log.rewind(3)][-1] == (3, "train/loss")
    assert log.path.read_text().endswith("\n")


def test_rewinding_begins_a_file(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "new.csv")
    assert log.rewind(7) == []
    assert log.path.read_text() == "step,name,value\n"


def test_configurations_leave_without_paths(make_config: Any) -> None:
    config = make_config("run", teacher=Path("/home/someone/private/teacher/best.ckpt"))
    public = public_config(config)
    text = repr(public)
    assert "someone" not in text
    assert str(config.data.root.parent) not in text
    assert public["teacher"] == "best.ckpt"
    assert public["data"]["root"] == config.data.root.name
    assert public["optim"]["lr"] == config.optim.lr
    relative = Path("mine/photos/label.txt")
    text = repr(public_config(DetectorConfig(data=PhotoDataConfig([PhotoSetConfig(relative, relative.parent)]))))
    assert "label.txt" in text
    assert "mine" not in text
    several = public_config(make_config("run", teacher=[Path("/home/someone/a.ckpt"), Path("/home/someone/b.ckpt")]))
    assert several["teacher"] == ["a.ckpt", "b.ckpt"]
    assert plain_config(config)["teacher"] == "/home/someone/private/teacher/best.ckpt"
