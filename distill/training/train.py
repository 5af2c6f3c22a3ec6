"""Training from a recipe, a file or a configuration object: `distill.train`, `distill teacher`, `distill student`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.errors import ConfigError
from distill.options.parser import options_of
from distill.options.recipes import STAGES, find_recipe, load_recipe
from distill.options.stages import parse_stages
from distill.pretrained.timm_hub import require_weights_or_hub
from distill.system.locks import folder_lock
from distill.training.config import RunConfig, StudentConfig
from distill.training.stages import is_finished, linked_stages, require_startable, to_start


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
    content = load_recipe(str(path))
    options = flatten(overrides)
    named = [*content, *options, *(name for stage in content.get(STAGES) or [] for name in stage)]
    student = any(name.partition(".")[0] in ("teacher", "kd") for name in named)
    words = ["--config", str(path)]
    for name, value in options.items():
        words += [f"--{name}", json.dumps(value, default=str) if not isinstance(value, str | Path) else str(value)]
    target = StudentConfig if student else RunConfig
    parser = options_of("train", "Train a network.", target)
    return run_stages([target(**values) for values in parse_stages(parser, words)])


def run_stages(configs: Sequence[RunConfig]) -> TrainResult:
    """Run the stages of a training one after the other, or the only one; return the result of the last.

    With `resume`, stages that are finished stay as they are.

    Raises:
        ConfigError: the run of a stage exists and is not to be resumed, its options have changed, or another process
            trains in its folder.
    """
    if len(configs) == 1:
        return run_training(configs[0])
    _require_weights(configs[0])
    from distill.training.resume import require_same_options

    stages = linked_stages(configs)
    require_startable(stages)
    # Locked before the first stage: another process there would otherwise be noticed only when the last one starts.
    with folder_lock(stages[-1].runs / stages[-1].name, "is training in"):
        for number, config in enumerate(stages[:-1], 1):
            folder = config.runs / config.name
            if is_finished(folder):
                require_same_options(folder, config)
            else:
                print(f"stage {number} of {len(stages)}: {folder}")
                run_training(to_start(config) if number > 1 else config)
    print(f"stage {len(stages)} of {len(stages)}: {stages[-1].runs / stages[-1].name}")
    return run_training(to_start(stages[-1]))


def run_training(config: RunConfig) -> TrainResult:
    """Run the training of a complete configuration."""
    _require_weights(config)
    from distill.training.fit import train_student, train_teacher

    folder = train_student(config) if isinstance(config, StudentConfig) else train_teacher(config)
    summary = json.loads((folder / "summary.json").read_text())
    nme = float(summary["val_nme"])
    return TrainResult(folder, nme, summary["normaliser"], summary["steps"], summary["seconds"])


def _require_weights(config: RunConfig) -> None:
    """Refuse pretrained weights that cannot be had, before torch and timm are imported."""
    if config.model.options.get("pretrained") is True and not config.resume:
        require_weights_or_hub(config.model.arch)


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
