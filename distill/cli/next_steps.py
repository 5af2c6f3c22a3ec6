"""What to do after a training: its result, where it lies, and the next commands to type."""

import shlex
from pathlib import Path

from distill.data.config import SHARDS, DataConfig
from distill.plugins import plugin_list
from distill.training.config import RunConfig, StudentConfig
from distill.training.train import TrainResult

_DEFAULTS = DataConfig()


def report(config: RunConfig, result: TrainResult) -> None:
    """Print the result of a training, in one process of several."""
    from distill.training.loggers.csv import is_first_process

    if is_first_process():
        print(finished(config, result))


def finished(config: RunConfig, result: TrainResult) -> str:
    """Return the lines that end `distill teacher` and `distill student`."""
    commands = "\n".join(f"  {command}" for command in next_commands(config, result.best_checkpoint))
    nme = f"validation NME {100 * result.nme:.2f} % ({result.normaliser}), the lowest in {result.steps} steps"
    return f"done: {nme}\nbest weights: {result.best_checkpoint}\nnext:\n{commands}"


def next_commands(config: RunConfig, checkpoint: Path) -> list[str]:
    """Return the commands that use a checkpoint on the data it was trained for."""
    plugins = [word for path in plugin_list(config.plugin) for word in ("--plugin", str(path))]
    evaluate = ["distill", "evaluate", str(checkpoint), *plugins, *_faces(config.data), *_test_faces(config.data)]
    if isinstance(config, StudentConfig):
        further = ["distill", "export", str(checkpoint), *plugins]
    else:
        student = ["distill", "student", "--config", "student", "--teacher", str(checkpoint)]
        further = [*student, *plugins, *_faces(config.data), *_training_faces(config.data)]
    # Shards are for trainings alone.
    return [shlex.join(words) for words in (evaluate, further) if words is further or config.data.format != SHARDS]


def _faces(data: DataConfig) -> list[str]:
    words = ["--data.preset", data.preset] if data.preset else ["--data.format", data.format]
    return [*words, "--data.root", str(data.root)]


def _test_faces(data: DataConfig) -> list[str]:
    return ["--data.subset", data.test_subset] if data.test_subset else []


def _training_faces(data: DataConfig) -> list[str]:
    """Options of the same training faces; teacher and student must agree on the scheme and the crop."""
    words = []
    for name in ("subset", "val_subset", "test_subset", "scheme"):
        if getattr(data, name) != getattr(_DEFAULTS, name):
            words += [f"--data.{name}", str(getattr(data, name))]
    for name in ("scale", "shift_y"):
        if getattr(data.crop, name) != getattr(_DEFAULTS.crop, name):
            words += [f"--data.crop.{name}", str(getattr(data.crop, name))]
    return words
