"""Objective of a sweep: the best validation value of a training, read from the files of its run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from distill.training.loggers.metrics_csv import read_curve


@dataclass(frozen=True)
class Objective:
    """What the trials of a sweep are compared by.

    Attributes:
        metric: its name in `metrics.csv`, one value a validation.
        summary: its name in `summary.json`: the best of them.
        direction: `minimize` or `maximize`.
        label: in messages; the values are shares and shown in percent.
    """

    metric: str
    summary: str
    direction: Literal["minimize", "maximize"]
    label: str


_LANDMARKS = Objective("val/nme", "val_nme", "minimize", "NME")
# Command -> what its trainings are compared by.
OBJECTIVES = {
    "teacher": _LANDMARKS,
    "student": _LANDMARKS,
    "detector": Objective("val/ap", "val/ap", "maximize", "AP"),
}


def validations(folder: Path, objective: Objective) -> list[float]:
    """Return the value of every validation so far, in order; empty before the first."""
    path = folder / "metrics.csv"
    return read_curve(path, objective.metric)[1].tolist() if path.is_file() else []


def finished(folder: Path, objective: Objective) -> tuple[float, float] | None:
    """Return the best value and the duration in seconds of a finished training, None for any other."""
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return float(summary[objective.summary]), float(summary["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
