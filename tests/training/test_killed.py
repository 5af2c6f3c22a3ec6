"""Killed with -9 wherever it may be, and resumed, a training is the training that nobody killed.

Trainings run as `distill teacher|student|detector` in processes forked from one that has everything imported.
"""

import os
import random
import re
import shutil
import signal
import time
from dataclasses import replace
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from distill.losses.config import CacheConfig
from distill.training.config import RunConfig, StudentConfig
from distill.training.detector_config import DetectorConfig
from distill.training.loggers.csv import plain_config
from distill.training.loggers.metrics_csv import read_rows
from tests.support.command_processes import SECRETS, USER
from tests.support.detector_runs import STEPS_PER_EPOCH, small_detector, write_detector_photos
from tests.support.training_process import train
from tests.support.wandb_files import read_wandb
from tests.training.conftest import SMALL, TEACHER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # seconds each on an idle machine
EPOCHS, STEPS = 4, 16
COMMANDS = {RunConfig: "teacher", StudentConfig: "student", DetectorConfig: "detector"}


class Runs:
    """Starts trainings in one folder, kills them, reads what they left."""

    def __init__(self, server: ForkServerContext, folder: Path, make_config: Any):
        self.server, self.folder, self.make_config = server, folder, make_config

    def write(self, name: str, **changes: Any) -> list[str]:
        """Write the configuration of a run and return its command line."""
        network = {} if "teacher" in changes else {"model": TEACHER}
        changes = {**network, "trainer": {"epochs": EPOCHS, "validate_every": 2}, **changes}
        return self.store(self.make_config(name, **changes))

    def store(self, config: RunConfig | DetectorConfig) -> list[str]:
        """Write a configuration and return its command line."""
        (self.folder / f"{config.name}.yaml").write_text(yaml.safe_dump(plain_config(config) | {"runs": "runs"}))
        return [COMMANDS[type(config)], "--config", f"{config.name}.yaml"]

    def start(self, argv: list[str]) -> ForkServerProcess:
        process = self.server.Process(target=train, args=(argv,))
        process.start()
        return process

    def finish(self, name: str, argv: list[str]) -> dict[str, Any]:
        """Run to the end and return everything a run leaves, to the last bit."""
        process = self.start(argv)
        process.join(600)
        assert process.exitcode == 0, f"{name} did not finish"
        rows = read_rows(self.folder / "runs" / name / "metrics.csv")
        content: dict[str, Any] = {f"{name}@{step}": value.hex() for step, name, value in rows}
        assert len(content) == len(rows), "recorded twice"
        for kind in ("last", "best"):
            saved = torch.load(self.folder / "runs" / name / f"{kind}.ckpt", weights_only=True)
            for part in ("state_dict", "current_model_state"):
                content |= {f"{kind}.{part}.{n}": value.numpy().tobytes() for n, value in saved[part].items()}
        return content

    def last_step(self, name: str) -> int:
        path = self.folder / "runs" / name / "metrics.csv"
        return max((step for step, _, _ in read_rows(path)), default=0) if path.is_file() else 0

    def kill_at(self, name: str, argv: list[str], step: int, delay: float) -> None:
        """Start or resume, and kill -9 a moment after a step was recorded, with all its workers."""
        resume = ["--resume"] if (self.folder / "runs" / name / "last.ckpt").exists() else []
        process = self.start([*argv, *resume])
        while self.last_step(name) < step and process.is_alive():
            time.sleep(0.005)
        time.sleep(delay)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()


@pytest.fixture
def runs(server: ForkServerContext, tmp_path: Path, make_config: Any, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.chdir(tmp_path)  # processes of the server start where this one is
    return Runs(server, tmp_path, make_config)


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return {}


def _check(runs: Runs, seed: int, workers: int, expected: dict[str, Any] | None = None, **changes: Any) -> None:
    """Compare a training that was killed three times; `scripts.fuzz.kills` does so ninety times.

    Args:
        expected: content of the training that nobody killed; an empty one is filled.
    """
    rng = random.Random(seed)
    expected = {} if expected is None else expected
    if not expected:
        expected |= runs.finish("whole", runs.write("whole", **changes))
    assert sum(name.startswith("train/loss@") for name in expected) == STEPS
    assert sum(name.startswith("val/nme@") for name in expected) == EPOCHS // 2
    shutil.rmtree(runs.folder / "kept", ignore_errors=True)
    data = {**changes.get("data", {}), "workers": workers, "cache": False}
    argv = runs.write("killed", **{**changes, "data": data})
    for step in sorted(rng.sample(range(1, STEPS), 3)):
        # The last steps and the end take less than the longest delay.
        runs.kill_at("killed", argv, step, delay=rng.uniform(0, 0.15 if step < STEPS - 3 else 0.01))
    _compare_resumed(runs, argv, expected)


def _compare_resumed(runs: Runs, argv: list[str], expected: dict[str, Any]) -> None:
    """Resume the killed training to its end and compare all that it leaves."""
    found = runs.finish("killed", [*argv, "--resume"])
    different = [key for key in expected if found.get(key) != expected[key]]
    assert found.keys() == expected.keys()
    assert not different, f"{different[:5]} of {len(different)} differ"
    assert not list((runs.folder / "runs" / "killed").glob(".*")), "a file of an unfinished save is left"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_teacher(workers: int, runs: Runs, whole: dict[str, Any]) -> None:
    _check(runs, 1 + workers, workers, whole)


def test_a_killed_student(runs: Runs) -> None:
    """Also in the middle of storing its teacher's outputs: what a resumed run finds is what it would have computed."""
    runs.finish("teacher", runs.write("teacher", trainer={"epochs": 1}))
    kd = {"kind": "mse", "weight": 100.0, "cache": CacheConfig("window", Path("kept"))}
    _check(runs, 4, 2, teacher=Path("runs/teacher/best.ckpt"), kd=kd, data={"augment_period": 2})


def test_a_killed_detector(runs: Runs) -> None:
    """Between two checkpoints, with workers; the training that nobody killed has none."""
    write_detector_photos(Path("photos"))
    config = small_detector(Path("photos"), epochs=2)
    expected = runs.finish("whole", runs.store(replace(config, name="whole")))
    assert sum(name.startswith("train/loss@") for name in expected) == 2 * STEPS_PER_EPOCH
    assert sum(name.startswith("val/ap@") for name in expected) == 2
    argv = runs.store(replace(config, name="killed", data=replace(config.data, workers=2)))
    runs.kill_at("killed", argv, step=5, delay=0)
    assert (runs.folder / "runs/killed/last.ckpt").is_file(), "killed before the first checkpoint"
    _compare_resumed(runs, argv, expected)


def test_wandb_mirrors_the_whole_run_and_nothing_private(runs: Runs) -> None:
    argv = runs.write("run", model=SMALL, log={"wandb": "offline"}, trainer={"epochs": 4, "validate_every": 1})
    for step in (5, 9):  # after a checkpoint, without which a start is a run of its own; before the end
        runs.kill_at("run", argv, step, delay=0)
    runs.finish("run", [*argv, "--resume"])
    folder = runs.folder / "runs/run/wandb"
    records = [read_wandb(path) for path in sorted(folder.glob("offline-run-*/*.wandb"))]
    assert len(records) == 3
    identity = (runs.folder / "runs/run/wandb_id.txt").read_text().strip()
    # W&B numbers starts within one second: offline-run-DATE_TIME-ID-1.
    form = re.compile(rf"offline-run-\d{{8}}_\d{{6}}-{identity}(-\d+)?")
    assert all(form.fullmatch(path.name) for path in folder.glob("offline-run-*"))
    assert records[-1].run["id"] == identity
    recorded = {(step, name): value for step, name, value in read_rows(runs.folder / "runs/run/metrics.csv")}
    # The last start alone holds every number, whatever the kills took of those before.
    pictures = {key: value for key, value in records[-1].numbers.items() if key[1].startswith("val/ced/")}
    assert records[-1].numbers == recorded | pictures
    assert pictures
    assert {step for step, _ in recorded} == set(range(1, STEPS + 1))
    assert records[-1].run["config"]["model"]["arch"] == SMALL.arch
    # No config.yaml, which holds paths: the model, and data sets as their hashes alone.
    artifacts = [*records[-1].used.values(), *records[-1].logged.values()]
    assert set().union(*(artifact["files"] for artifact in artifacts)) == {"dataset.json", "model.ckpt"}
    private = [*SECRETS.values(), USER, str(runs.folder), str(Path(__file__).parents[2])]
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [word for word in private if word.encode() in content], path
