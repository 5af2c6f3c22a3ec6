"""A training that stopped early is finished."""

import json
from typing import Any

import pytest

from distill.training.fit import train_teacher
from tests.support.training_runs import numbers


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
