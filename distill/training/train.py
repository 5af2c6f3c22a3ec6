"""Training from a recipe, a file or a configuration object: `distill.train`, `distill teacher`, `distill student`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.options.recipes import find_recipe
from distill.training.config import RunConfig, StudentConfig


@dataclass(frozen=True)
class TrainResult:
    """Result of a training run.

    Attributes:
        folder: of the run.
        nme: best validation NME, as a fraction.
        normaliser: distance that it is divided by.
        steps: optimiser steps taken.
        seconds: duration.
    """

    folder: Path
    nme: float
    normaliser: str
    steps: int
    seconds: float

    @property
    def best_checkpoint(self) -> Path:
        return self.folder / "best.ckpt"

    def __str__(self) -> str:
        return f"{self.folder}: validation NME {100 * self.nme:.3f} % ({self.normaliser}) after {self.steps} steps"


def train(config: RunConfig | str | Path, **overrides: Any) -> TrainResult:
    """Train a network; with a teacher and `kd` options a student, else a teacher or a baseline.

    Args:
        config: a configuration, a YAML file, or the name of a recipe in configs/.
        overrides: options of the command line, nested or dotted: `trainer={"epochs": 3}` or `**{"trainer.epochs": 3}`.

    Raises:
        ConfigError: unknown recipe or option, or overrides of a configuration object.
    """
    if isinstance(config, RunConfig):
        if overrides:
            raise ConfigError(f"{', '.join(overrides)}: options of a configuration object; use dataclasses.replace")
        return run_training(config)
    path = find_recipe(config)
    content = yaml.safe_load(path.read_text()) or {}
    options = flatten(overrides)
    student = any(name.partition(".")[0] in ("teacher", "kd") for name in (*content, *options))
    words = ["--config", str(path)]
    for name, value in options.items():
        words += [f"--{name}", json.dumps(value, default=str) if not isinstance(value, str | Path) else str(value)]
    target = StudentConfig if student else RunConfig
    return run_training(target(**parse(options_of("train", "Train a network.", target), words)))


def run_training(config: RunConfig) -> TrainResult:
    """Run the training of a complete configuration."""
    from distill.training.fit import train_student, train_teacher

    folder = train_student(config) if isinstance(config, StudentConfig) else train_teacher(config)
    summary = json.loads((folder / "summary.json").read_text())
    nme = float(summary["val_nme"])
    return TrainResult(folder, nme, summary["normaliser"], summary["steps"], summary["seconds"])


def flatten(options: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested options with dotted names, `{"trainer.epochs": 3}`; `options` of a model or loss stay a mapping."""
    flat: dict[str, Any] = {}
    for name, value in options.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and not path.endswith(".options"):
            flat |= flatten(value, f"{path}.")
        else:
            flat[path] = value
    return flat
