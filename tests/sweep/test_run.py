"""A sweep that is killed and continued holds every trial once, and its best trial can be trained again."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.errors import ConfigError
from distill.sweep import run as module
from distill.sweep.config import SweepConfig
from distill.sweep.run import run_sweep, worker_environment
from distill.sweep.space import parse_space
from tests.support.command_processes import run_command
from tests.support.sweep_process import sweep
from tests.support.training_runs import numbers
from tests.training.conftest import SIZE, write_faces

TRIALS = 6
SEARCH = {"optim.lr": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}, "optim.name": ["adamw", "sgd"]}
OPTIONS = {
    "data": {
        "format": "manifest", "root": "faces", "subset": "train", "val_subset": "val", "batch_size": 4, "workers": 0,
        "crop": {"size": SIZE, "scale": 1.3, "shift_y": 0.0},
    },
    "model": {"arch": "small_cnn", "options": {"image_size": SIZE}},
    "trainer": {"epochs": 3, "validate_every": 1, "checkpoint_every": 1, "accelerator": "cpu", "threads": 1},
    "log": {"wandb": "disabled", "every": 1},
}  # fmt: skip


@pytest.fixture
def optuna() -> Any:
    return pytest.importorskip("optuna", reason="optuna is not installed: pip install 'distill-landmarks[sweep]'")


class Sweep:
    """One sweep in the folder of a test."""

    def __init__(self, server: ForkServerContext, folder: Path):
        self.server, self.folder = server, folder / "runs" / "sweep"
        self.log = folder / "sweep.log"
        content = {
            "command": "teacher", "options": OPTIONS, "search": SEARCH, "trials": TRIALS, "workers": 2,
            "prune_after": 3, "prune_from": 2,
        }  # fmt: skip
        (folder / "sweep.yaml").write_text(yaml.safe_dump(content))

    def start(self, *words: str) -> ForkServerProcess:
        process = self.server.Process(target=sweep, args=(["--config", "sweep.yaml", *words], str(self.log)))
        process.start()
        return process

    def states(self) -> dict[int, str]:
        """State of every trial as it is in the store, read beside the process that writes."""
        if not (self.folder / "study.db").is_file():
            return {}
        with sqlite3.connect(f"file:{self.folder / 'study.db'}?mode=ro", uri=True, timeout=60) as database:
            try:
                return dict(database.execute("SELECT number, state FROM trials"))
            except sqlite3.OperationalError:  # its tables are being made
                return {}

    def wait(self, process: ForkServerProcess, reached: Callable[[], bool]) -> None:
        while process.is_alive() and not reached():
            time.sleep(0.01)
        assert process.is_alive(), self.log.read_text()

    def steps(self, number: int) -> int:
        path = self.folder / f"trial_{number}" / "metrics.csv"
        return int(path.read_text().splitlines()[-1].split(",")[0]) if path.is_file() and numbers(path.parent) else 0


@pytest.mark.slow
def test_killed_and_continued_no_trial_is_lost_or_repeated(
    optuna: Any, server: ForkServerContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with -9 and ended by SIGTERM, each time with two trials half-way."""
    monkeypatch.chdir(tmp_path)
    write_faces(tmp_path / "faces")
    search = Sweep(server, tmp_path)
    before: dict[int, Any] = {}
    for number, words in ((signal.SIGKILL, ()), (signal.SIGTERM, ("--resume",))):
        process = search.start(*words)
        done = 1 + sum(state != "RUNNING" for state in search.states().values())

        def half_way(done: int = done) -> bool:
            running = [trial for trial, state in search.states().items() if state == "RUNNING"]
            return len(search.states()) - len(running) >= done and max(map(search.steps, running), default=0) >= 2

        search.wait(process, half_way)
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(60)
        assert process.exitcode == (-9 if number == signal.SIGKILL else 143)
        told = [line for line in search.log.read_text().splitlines() if line.startswith("stopped")]
        line = "stopped by SIGTERM: continue with --config runs/sweep/sweep.yaml --resume"
        assert told == ([] if number == signal.SIGKILL else [line])
        before |= {n: s for n, s in search.states().items() if s != "RUNNING"}
        assert "RUNNING" in search.states().values()
    process = search.start("--resume")
    process.join(120)
    assert process.exitcode == 0, search.log.read_text()

    content = json.loads((search.folder / "trials.json").read_text())
    assert [trial["number"] for trial in content["trials"]] == list(range(TRIALS))
    assert {trial["state"] for trial in content["trials"]} <= {"complete", "pruned"}
    assert before.items() <= search.states().items(), "an ended trial was run again"
    assert len({trial["options"]["optim.lr"] for trial in content["trials"]}) == TRIALS
    assert sorted(path.name for path in search.folder.glob("trial_*")) == [f"trial_{n}" for n in range(TRIALS)]
    text = search.log.read_text()
    assert "from its last step" in text
    for trial in content["trials"]:
        told = text.count(f"trial_{trial['number']} done") + text.count(f"trial_{trial['number']} pruned")
        assert told <= 1  # 0 where the kill came between the store and the line
        numbers(search.folder / trial["folder"])  # fails where a number was recorded twice
        if trial["state"] == "complete":
            summary = json.loads((search.folder / trial["folder"] / "summary.json").read_text())
            assert trial["value"] == summary["val_nme"] == min(trial["validations"])
            assert len(trial["validations"]) == 3

    best = f"trial_{content['best']}"
    argv = ["teacher", "--config", f"runs/sweep/{best}/config.yaml", "--name", "again"]
    again = server.Process(target=run_command, args=(argv, tmp_path / "again.log"))
    again.start()
    again.join(60)
    assert numbers(search.folder / "again") == numbers(search.folder / best)


def test_a_sweep_is_continued_with_its_own_search_only(tmp_path: Path) -> None:
    config = SweepConfig(runs=tmp_path, search=SEARCH)
    with pytest.raises(ConfigError, match="no sweep to resume"):
        module._require_startable(SweepConfig(runs=tmp_path, search=SEARCH, resume=True))
    config.folder.mkdir()
    (config.folder / "study.db").touch()
    (config.folder / "sweep.yaml").write_text(yaml.safe_dump(module._plain(config)))
    with pytest.raises(ConfigError, match="this sweep exists; continue it with --resume"):
        module._require_startable(config)
    module._require_startable(SweepConfig(runs=tmp_path, search=SEARCH, resume=True, trials=99, workers=3))
    with pytest.raises(ConfigError, match=r"--seed was 0, now it is 1; continue with --config .*sweep.yaml --resume"):
        module._require_startable(SweepConfig(runs=tmp_path, search=SEARCH, resume=True, seed=1))


def test_a_sweep_whose_first_trainings_all_fail_ends(optuna: Any, tmp_path: Path) -> None:
    """Options that only the training can refuse, such as a folder without faces, do not cost every trial."""
    config = SweepConfig(runs=tmp_path, search=SEARCH, trials=50, command="teacher")
    with pytest.raises(module.TrainingError, match=r"no trial finished; trial_0: .*\(status \d\)"):
        run_sweep(config, parse_space(SEARCH), lambda values: {"no_such_option": 1})
    content = json.loads((config.folder / "trials.json").read_text())
    assert [trial["state"] for trial in content["trials"]] == ["fail"] * 3


def test_workers_share_cores_and_take_turns_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    config = SweepConfig(search=SEARCH, workers=3, gpus=[1, 2])
    devices = [worker_environment(config, slot) for slot in range(3)]
    assert [device["CUDA_VISIBLE_DEVICES"] for device in devices] == ["1", "2", "1"]
    assert {device["OMP_NUM_THREADS"] for device in devices} == {"2"}
    assert worker_environment(SweepConfig(search=SEARCH), 0) == {}
