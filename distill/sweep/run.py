"""Run a sweep: start trials in child processes, read their validations, end the bad ones early, store the results."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from distill.errors import ConfigError, TrainingError
from distill.files import write_text
from distill.sweep.config import SweepConfig
from distill.sweep.objective import OBJECTIVES, Objective, finished, validations
from distill.sweep.result import REASON, SECONDS, Trial, best_trial, trials_of, write_trials
from distill.sweep.space import Parameter
from distill.sweep.store import (
    database_errors,
    database_exists,
    draw,
    interrupted_trials,
    new_trial,
    open_study,
    report,
    require_optuna,
)
from distill.sweep.worker import Worker, failure, start
from distill.system.locks import folder_lock
from distill.training.interrupt import TrainingInterrupted, stop_on_signal

STARTED = "sweep.yaml"
# What decides the trials; the rest of the options may change when a sweep is continued.
_SAME = ("command", "recipes", "options", "search", "seed", "sampler")
# Seconds between two reads of the trainings.
POLL_S = 0.5
_READING_SHARE = 20
# Trials after which a sweep without any success ends.
_GIVE_UP = 3

# Values of the searched options -> all options of a trial over its recipes.
Compose = Callable[[Mapping[str, Any]], dict[str, Any]]


def run_sweep(config: SweepConfig, space: Sequence[Parameter], compose: Compose) -> list[Trial]:
    """Run or continue a sweep; return all its trials.

    Leaves `study.db`, `sweep.yaml`, `trials.json` and a folder for each trial. A trial whose training was interrupted
    is continued from its last checkpoint; one that has ended is not repeated.

    Args:
        config: of the sweep.
        space: searched options.
        compose: options of a trial.

    Raises:
        ConfigError: the sweep exists and is not to be resumed, it was started with another search, or its store cannot
            be read or written.
        TrainingError: no trial finished.
        TrainingInterrupted: SIGINT or SIGTERM; the trainings have saved their last step.
    """
    require_optuna()
    objective = OBJECTIVES[config.command]
    with _continued_with_resume(config), folder_lock(config.folder, "searches in"), database_errors(config.folder):
        _require_startable(config)
        write_text(config.folder / STARTED, yaml.safe_dump(_plain(config), sort_keys=False))
        study = open_study(config, objective)
        sweep = _Sweep(config, objective, space, compose, study)
        try:
            sweep.run()
        finally:
            sweep.stop()
            trials = trials_of(study)
            write_trials(config.folder, trials, objective)
    if best_trial(trials, objective) is None:
        reasons = [f"{trial.folder}: {trial.reason}" for trial in trials if trial.reason]
        raise TrainingError(f"{config.folder}: no trial finished; {(reasons or ['all were pruned'])[0]}")
    return trials


@contextmanager
def _continued_with_resume(config: SweepConfig) -> Iterator[None]:
    """Name the command that continues the sweep when SIGINT or SIGTERM ends it; a second signal ends it at once."""
    with stop_on_signal():
        try:
            yield
        except TrainingInterrupted as interrupted:
            path = config.folder / STARTED
            how = f"continue with --config {path} --resume" if path.is_file() else "give the same command again"
            print(f"stopped by {interrupted.signal}: {how}", file=sys.stderr)
            raise


class _Sweep:
    """Trials of a sweep that run in this process."""

    def __init__(
        self, config: SweepConfig, objective: Objective, space: Sequence[Parameter], compose: Compose, study: Any
    ):
        self.config, self.objective, self.study = config, objective, study
        self.space, self.compose = space, compose
        self.waiting = interrupted_trials(study)
        self.workers: list[Worker] = []

    def run(self) -> None:
        """Run trials until there are enough."""
        while True:
            self._fill()
            if not self.workers:
                return
            began = time.monotonic()
            for worker in list(self.workers):
                self._read(worker)
            # A long training has a long metrics.csv, and reading it takes time from the trainings.
            time.sleep(max(POLL_S, _READING_SHARE * (time.monotonic() - began)))

    def stop(self) -> None:
        """End what still runs; each training saves its last step."""
        for worker in self.workers:
            worker.stop()
        for worker in self.workers:
            worker.process.wait()

    def _fill(self) -> None:
        while len(self.workers) < self.config.workers and not self._hopeless():
            if self.waiting:
                trial = self.waiting.pop(0)
            elif len(self.study.get_trials(deepcopy=False)) < self.config.trials:
                trial = new_trial(self.study, self.config, self.space)
            else:
                return
            folder = self._folder(trial)
            if self._tell_if_finished(trial):
                continue
            continued = " from its last step" if (folder / "last.ckpt").is_file() else ""
            values = draw(trial, self.space)
            slot = min(set(range(self.config.workers)) - {worker.slot for worker in self.workers})
            content = {**self.compose(values), "name": folder.name, "runs": str(self.config.folder)}
            worker = start(
                trial, folder, self.config.command, self.config.recipes, content, slot,
                worker_environment(self.config, slot),
            )  # fmt: skip
            self.workers.append(worker)
            shown = "  ".join(f"{name} {value}" for name, value in values.items())
            print(f"{folder.name} started{continued}: {shown}", flush=True)
            self._write()

    def _hopeless(self) -> bool:
        ended = [trial for trial in trials_of(self.study) if trial.state != "running"]
        return len(ended) >= _GIVE_UP and all(trial.state == "fail" for trial in ended)

    def _read(self, worker: Worker) -> None:
        """Store what a training has reached since the last read."""
        ended = worker.process.poll() is not None  # before the files are read
        if not ended:
            values = validations(worker.folder, self.objective)
            if report(self.study, worker.trial, values) and not worker.pruned:
                worker.pruned = True
                worker.stop()
            return
        self.workers.remove(worker)
        if not self._tell_if_finished(worker.trial):
            self._tell_unfinished(worker)
        self._write()

    def _tell_if_finished(self, trial: Any) -> bool:
        """Store the result of a training that has finished, which may have been before this process began."""
        folder = self._folder(trial)
        result = finished(folder, self.objective)
        if result is None:
            return False
        value, seconds = result
        report(self.study, trial, validations(folder, self.objective))
        trial.set_user_attr(SECONDS, seconds)
        self.study.tell(trial, value)
        best = best_trial(trials_of(self.study), self.objective)
        shown = f"; best {best.folder}, {100 * (best.value or 0):.3f} %" if best else ""
        print(f"{folder.name} done: {self.objective.label} {100 * value:.3f} %{shown}", flush=True)
        return True

    def _tell_unfinished(self, worker: Worker) -> None:
        import optuna

        state = optuna.trial.TrialState
        values = validations(worker.folder, self.objective)
        if worker.pruned:
            self.study.tell(worker.trial, state=state.PRUNED)
            shown = f"{self.objective.label} {100 * values[-1]:.3f} % after {len(values)} validations"
            print(f"{worker.folder.name} pruned: {shown}", flush=True)
        else:
            reason = failure(worker)
            worker.trial.set_user_attr(REASON, reason)
            self.study.tell(worker.trial, state=state.FAIL)
            print(f"{worker.folder.name} failed: {reason}", flush=True)

    def _folder(self, trial: Any) -> Path:
        return self.config.folder / f"trial_{trial.number}"

    def _write(self) -> None:
        write_trials(self.config.folder, trials_of(self.study), self.objective)


def worker_environment(config: SweepConfig, slot: int) -> dict[str, str]:
    """Return the environment variables of a worker: its share of the processor cores, and its GPU."""
    environment = {}
    if config.workers > 1 and "OMP_NUM_THREADS" not in os.environ:
        environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // config.workers))
    if config.gpus:
        environment["CUDA_VISIBLE_DEVICES"] = str(config.gpus[slot % len(config.gpus)])
    return environment


def _require_startable(config: SweepConfig) -> None:
    folder = config.folder
    if not database_exists(folder):
        if config.resume:
            raise ConfigError(f"{folder}: no sweep to resume; start it without --resume")
        return
    if not config.resume:
        raise ConfigError(f"{folder}: this sweep exists; continue it with --resume, or choose another --name")
    path = folder / STARTED
    before = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    now = _plain(config)
    for name in _SAME:
        if name in before and before[name] != now[name]:
            change = f"--{name} was {before[name]}, now it is {now[name]}"
            raise ConfigError(
                f"{folder}: {change}; continue with --config {path} --resume, or start another sweep with --name"
            )


def _plain(config: SweepConfig) -> dict[str, Any]:
    """Return the configuration in plain types, as a sweep file that continues it."""
    plain = {**asdict(config), "runs": str(config.runs)}
    return {name: value for name, value in plain.items() if name != "resume"}
