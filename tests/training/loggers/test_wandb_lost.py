"""A training whose W&B helper process is killed in the middle goes on, and the next one is recorded again."""

from collections.abc import Mapping
from typing import Any

import pytest

from distill.training.fit import train_teacher
from distill.training.loggers.metrics_csv import read_rows
from distill.training.loggers.wandb import WandbLog
from tests.support.wandb_files import read_wandb
from tests.support.wandb_helper import kill_wandb_helper


def test_a_training_goes_on_without_the_helper_process_of_wandb(
    make_config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log_metrics = WandbLog.log_metrics

    def lose(self: WandbLog, metrics: Mapping[str, float], step: int | None = None) -> None:
        if step == 6 and not self.lost:
            kill_wandb_helper()
        log_metrics(self, metrics, step)

    with monkeypatch.context() as patch:
        patch.setattr(WandbLog, "log_metrics", lose)
        lost = train_teacher(make_config("lost", log={"wandb": "offline"}))
    output = capsys.readouterr()
    (line,) = [line for line in (output.out + output.err).splitlines() if "W&B" in line or "Connection" in line]
    assert line.startswith("W&B failed (Connection lost): the training goes on; later: distill sync ")

    whole = train_teacher(make_config("whole", log={"wandb": "offline"}))
    rows = [(step, name) for step, name, _ in read_rows(whole / "metrics.csv")]
    assert [(step, name) for step, name, _ in read_rows(lost / "metrics.csv")] == rows
    (file,) = whole.glob("wandb/offline-run-*/*.wandb")
    assert set(rows) <= set(read_wandb(file, wait_s=30).numbers)


def test_no_deprecated_option_of_wandb_is_used(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr("wandb.termwarn", lambda text, **options: warnings.append(text))
    folder = make_config("run").runs / "run"
    folder.mkdir(parents=True)
    log = WandbLog(make_config("run", log={"wandb": "offline"}), folder)
    log.log_metrics({"val/nme": 1.0}, step=1)
    log.finalize("success")
    assert warnings == []
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    assert read_wandb(file, wait_s=30).summary["val/nme"] == {"min": 1.0, "last": 1.0}
