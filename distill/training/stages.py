"""Training in stages: each is a run that starts from the best weights of the one before."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from distill.errors import ConfigError
from distill.training.config import RunConfig


def linked_stages(configs: Sequence[RunConfig]) -> list[RunConfig]:
    """Return the configurations of a recipe's stages as runs: all but the last are `NAME/stage_1`, `NAME/stage_2`.

    Each but the first starts from the best weights of the one before. A single configuration stays as it is.
    """
    linked: list[RunConfig] = []
    for number, config in enumerate(configs, 1):
        name = config.name if number == len(configs) else f"{config.name}/stage_{number}"
        before = linked[-1].runs / linked[-1].name / "best.ckpt" if linked else config.model.init
        linked.append(replace(config, name=name, model=replace(config.model, init=before)))
    return linked


def is_finished(folder: Path) -> bool:
    """Return whether the training in a run's folder has come to its end."""
    return (folder / "summary.json").is_file()


def require_startable(configs: Sequence[RunConfig]) -> None:
    """Check all stages before the first one is trained.

    Raises:
        ConfigError: one of their runs exists and is not to be resumed, or was not made in these stages, or they want
            several devices.
    """
    unfinished: Path | None = None
    for config in configs:
        if config.trainer.devices * config.trainer.num_nodes > 1:
            raise ConfigError("stages are trained on one device: train them one by one, each with its own recipe")
        folder = config.runs / config.name
        if not config.resume and (folder / "last.ckpt").exists():
            raise ConfigError(f"{folder}: this run exists; continue it with --resume, or choose another --name")
        if (folder / "last.ckpt").exists() and unfinished is not None:
            raise ConfigError(
                f"{folder}: this run does not follow a complete {unfinished}, as the stages of the recipe do: resume "
                f"it with --config {folder / 'config.yaml'}, or choose another --name"
            )
        if not is_finished(folder):
            unfinished = unfinished or folder


def to_start(config: RunConfig) -> RunConfig:
    """Return the configuration of a stage for this start: a stage that has not begun is not resumed."""
    folder = config.runs / config.name
    begun = (folder / "last.ckpt").is_file() or (folder / "config.yaml").is_file()
    return config if begun else replace(config, resume=False, accept_data=False)
