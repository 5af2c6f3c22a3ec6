"""`distill sweep`: search for the options of a training, many trials, several at a time."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from distill.cli.console import counted
from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.options.recipes import merge, nested
from distill.sweep.config import SweepConfig
from distill.sweep.objective import OBJECTIVES
from distill.sweep.space import Parameter, parse_space
from distill.training.config import RunConfig, StudentConfig
from distill.training.detector_config import DetectorConfig

_DESCRIPTION = "Search for the options of a training with Optuna; each trial is a run of its own."
_TARGETS: dict[str, type] = {"teacher": RunConfig, "student": StudentConfig, "detector": DetectorConfig}


def run(argv: list[str]) -> int:
    config = SweepConfig(**parse(options_of("sweep", _DESCRIPTION, SweepConfig), argv))
    from rich.console import Console

    from distill.sweep.result import NAME, best_trial, trial_table
    from distill.sweep.run import run_sweep
    from distill.sweep.store import require_optuna

    require_optuna()
    space = parse_space(config.search)
    require_accepted(config, space)
    trials = run_sweep(config, space, lambda values: options_of_trial(config, values))
    objective = OBJECTIVES[config.command]
    Console(width=None if Console().is_terminal else 200).print(trial_table(trials, objective))
    best = best_trial(trials, objective)
    assert best is not None  # run_sweep raises otherwise
    print(f"{config.folder / NAME}  {counted(len(trials), 'trial')}")
    print(f"best: {best.folder}, {objective.label} {100 * (best.value or 0):.3f} %; the same training again:")
    print(f"  distill {config.command} --config {config.folder / best.folder / 'config.yaml'} --name best")
    return 0


def options_of_trial(config: SweepConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a trial over its recipes, nested; its runs are a W&B group unless `options` name one."""
    merged: dict[str, Any] = nested("log.group", config.name)
    for name, value in (*config.options.items(), *values.items()):
        merged = merge(merged, nested(name, value))
    return merged


def require_accepted(config: SweepConfig, space: Sequence[Parameter]) -> None:
    """Check the ends of every range and every value of a choice with the option parser of the training.

    One option is changed at a time; the others have their first value.

    Raises:
        ConfigError: the parser's message, with the value that it refuses.
    """
    first = {parameter.name: parameter.ends()[0] for parameter in space}
    accept(config, first, "the first value of each option")
    for parameter in space:
        for value in parameter.ends()[1:]:
            accept(config, {**first, parameter.name: value}, f"{parameter.name} {value}")


def accept(config: SweepConfig, values: Mapping[str, Any], shown: str) -> Any:
    """Return the configuration of a trial with these values.

    Raises:
        ConfigError: the training does not take them.
    """
    target = _TARGETS[config.command]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.yaml"
        path.write_text(yaml.safe_dump(options_of_trial(config, values)), encoding="utf-8")
        words = [word for name in (*config.recipes, str(path)) for word in ("--config", name)]
        try:
            return target(**parse(options_of(config.command, "", target), words))
        except ConfigError as error:
            raise ConfigError(f"distill {config.command} does not take {shown}: {error}") from error
