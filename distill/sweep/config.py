"""Configuration of a sweep: the training, its search space, and how many trials run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from distill.errors import ConfigError

# Each trial has its own.
OWN_OPTIONS = ("name", "runs", "resume", "accept_data")


@dataclass(frozen=True)
class SweepConfig:
    """A search for the options of a training.

    Attributes:
        name: the sweep lives in `runs/NAME`, its trials in `runs/NAME/trial_0` and so on.
        runs: folder of all runs.
        command: training that is searched: `teacher`, `student` or `detector`.
        recipes: YAML files or names of recipes that every trial starts from, composed from left to right.
        options: options of every trial, over those of the recipes.
        search: range or values of each option that is searched.
        trials: their number; with `resume` a larger one adds trials.
        workers: trainings at a time.
        seed: of the search; the seed of the trainings is an option of them.
        sampler: `tpe` (tree-structured Parzen estimator) or `random`.
        pruning: end trials early by their validation: `median`, `halving` (successive halving) or `none`.
        prune_after: trials that finish before `median` ends any.
        prune_from: validation from which on a trial may end early.
        gpus: GPUs of the workers, in turn, such as `[0, 1]`; by default each worker has all.
        resume: continue the sweep: interrupted trials from their last step, then new ones.
    """

    name: str = "sweep"
    runs: Path = Path("runs")
    command: Literal["teacher", "student", "detector"] = "student"
    recipes: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)
    trials: int = 20
    workers: int = 1
    seed: int = 0
    sampler: Literal["tpe", "random"] = "tpe"
    pruning: Literal["median", "halving", "none"] = "median"
    prune_after: int = 5
    prune_from: int = 2
    gpus: list[int] = field(default_factory=list)
    resume: bool = False

    @property
    def folder(self) -> Path:
        """Folder of the sweep."""
        return self.runs / self.name

    def __post_init__(self) -> None:
        for name in ("trials", "workers", "prune_from"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} {getattr(self, name)} must be at least 1")
        if self.seed < 0:
            raise ConfigError(f"--seed {self.seed} must be at least 0")
        if not self.search:
            raise ConfigError("--search is empty: give a sweep file with --config, such as configs/sweeps/student.yaml")
        for name in (*self.search, *self.options):
            if name in OWN_OPTIONS:
                raise ConfigError(f"--search or --options: {name} is set by the sweep for each trial; leave it out")
