"""Resume a training: with the options it was started with, or an error that names the difference."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from distill.errors import CheckpointError, ConfigError
from distill.models.checkpoint import read_checkpoint
from distill.models.weight_files import require_finite_weights
from distill.training.config import RunConfig
from distill.training.effective_config import effective_config
from distill.training.loggers.csv import plain_config

# Locations, speed and logging may change between two starts; what decides the weights may not.
_FREE = (
    "runs",
    "teacher",
    "plugin",
    "data.preset",
    "data.root",
    "data.sets.root",
    "data.workers",
    "data.cache",
    "model.init",
    "model.weights",
    "kd.cache.folder",
    "trainer.threads",
    "trainer.checkpoint_every",
    "trainer.recompute",
    "data.unfit_faces",
    "data.shards.max_gb",
    "kd.cache.max_gb",
    "log.",
)

# Chosen from the faces where they are not given; unknown until these are read.
_FROM_DATA = ("data.crop.scale", "data.crop.shift_y")

# What Lightning restores a training from.
_PARTS = {"state_dict": dict, "optimizer_states": list, "loops": dict}


def checkpoint_to_resume(folder: Path, config: RunConfig) -> Path | None:
    """Return the last checkpoint of the run in `folder`, which must have been started with this configuration.

    None for a run that was stopped before it saved anything: it resumes at step 0.

    Raises:
        CheckpointError: the run was never started, or its last checkpoint cannot be loaded.
        ConfigError: an option differs that would make it another training.
    """
    require_started(folder, config)
    path = folder / "last.ckpt"
    if not path.is_file():
        return None
    _require_readable(path)
    return path


def require_started(folder: Path, config: RunConfig) -> None:
    """Check that `folder` holds a run that was started with this configuration; its weights are not read.

    Raises:
        CheckpointError: the run was never started.
        ConfigError: an option differs that would make it another training.
    """
    path = folder / "last.ckpt"
    if not path.is_file() and not (folder / "config.yaml").is_file():
        raise CheckpointError(f"{path}: nothing to resume; start the run without --resume")
    require_same_options(folder, config)


def require_same_options(folder: Path, config: RunConfig) -> None:
    """Check that the run in `folder` was started with this configuration, as far as both are known.

    A crop that is yet to be chosen from the faces equals any; check again when it is known.

    Raises:
        ConfigError: an option differs that would make it another training.
    """
    started = folder / "config.yaml"
    if not started.is_file():
        return
    before, now = (
        dict(_flat(effective_config(content)))
        for content in (yaml.safe_load(started.read_text()), plain_config(config))
    )
    for name in {**now, **before}:
        if name in _FROM_DATA and now.get(name) is None:
            continue
        if before.get(name) != now.get(name) and not re.sub(r"\.\d+", "", name).startswith(_FREE):
            change = f"--{name} was {before.get(name)}, now it is {now.get(name)}"
            raise ConfigError(f"{folder}: {change}; resume with the same options, or start another run with --name")


def _require_readable(path: Path) -> None:
    """Check that a checkpoint can be loaded, before the faces are read.

    Raises:
        CheckpointError: it cannot, with the checkpoints of the run that can.
    """
    try:
        _read(path)
    except CheckpointError as error:
        raise not_resumable(path, str(error).removeprefix(f"{path}: ").partition(";")[0]) from error


def not_resumable(path: Path, reason: str) -> CheckpointError:
    """Return the error for a checkpoint that cannot be resumed from, with the checkpoints of the run that can."""
    whole = [other for other in sorted(path.parent.glob("*.ckpt")) if other != path and _is_readable(other)]
    if whole:
        names = " or ".join(str(other) for other in whole)
        advice = f"{names} is whole: copy it to {path.name} and resume, or start another run with --name"
    else:
        advice = "no other checkpoint of the run is whole: start another run with --name"
    return CheckpointError(f"{path}: cannot be resumed from ({reason}); {advice}")


def _read(path: Path) -> None:
    content = read_checkpoint(path)
    for key, kind in _PARTS.items():
        if key not in content:
            raise CheckpointError(f"{path}: no {key} in it")
        if not isinstance(content[key], kind):
            raise CheckpointError(f"{path}: its {key} is a {type(content[key]).__name__}")
    for key in ("origin", "callbacks"):
        if not isinstance(content.get(key, {}), dict):
            raise CheckpointError(f"{path}: its {key} is a {type(content[key]).__name__}")
    require_finite_weights(path, content["state_dict"])


def _is_readable(path: Path) -> bool:
    try:
        _read(path)
    except CheckpointError:
        return False
    return True


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, list):
            value = dict(enumerate(value))
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
