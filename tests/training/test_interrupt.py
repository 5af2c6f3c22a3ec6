"""Real signals to real trainings: what they save, print and return, and that resuming gives the same curve."""

import os
import shutil
import signal
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from distill.losses.config import CacheConfig
from distill.training.interrupt import ONE_REQUEST_S
from distill.training.loggers.csv import plain_config
from distill.training.loggers.metrics_csv import read_rows
from tests.support import small_network
from tests.support.training_process import Signal, train_with_signals

TASK = "distill.training.tasks:LandmarkTask"
SAVING = "distill.training.callbacks.checkpointing:AtomicCheckpointIO"
# Registers the network of the trainings in their processes.
PLUGIN = Path(small_network.__file__).with_name("small_plugin.py")
# Where a signal comes: the signal, a function, and in which of its calls.
MOMENTS = {
    "in a step": (signal.SIGINT, f"{TASK}.training_step", 6),
    "in a step before a validation": (signal.SIGTERM, f"{TASK}.training_step", 4),
    "in the first batch of a validation": (signal.SIGINT, f"{TASK}.validation_step", 3),
    "in the last batch of a validation": (signal.SIGTERM, f"{TASK}.validation_step", 2),
    "in the last validation": (signal.SIGINT, f"{TASK}.validation_step", 4),
    "while a checkpoint is written": (
        signal.SIGTERM,
        f"{SAVING}.save_checkpoint",
        1,
    ),
}


class Trainings:
    """Runs `distill teacher` and `distill student` in processes that get a signal at a certain call."""

    def __init__(self, server: ForkServerContext, folder: Path, make_config: Any):
        self.server, self.folder, self.make_config = server, folder, make_config
        self.output = folder / "output"

    def start(self, name: str, *signals: Signal, resume: bool = False, **changes: Any) -> Any:
        plain = plain_config(self.make_config(name, plugin=PLUGIN, **changes)) | {"runs": "runs"}
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(plain))
        argv = [
            "student" if "kd" in plain else "teacher",
            "--config",
            f"{name}.yaml",
            "--plugin",
            str(PLUGIN),
            *(["--resume"] if resume else []),
        ]
        process = self.server.Process(target=train_with_signals, args=(argv, str(self.output), signals))
        process.start()
        return process

    def run(self, name: str, *signals: Signal, **options: Any) -> int:
        process = self.start(name, *signals, **options)
        process.join(120)
        assert process.exitcode is not None, "still running"
        return process.exitcode

    def content(self, name: str) -> dict[str, Any]:
        """Return every number and weight of a run, to the last bit."""
        folder = self.folder / "runs" / name
        rows = read_rows(folder / "metrics.csv")
        content: dict[str, Any] = {f"{metric}@{step}": value.hex() for step, metric, value in rows}
        assert len(content) == len(rows), "recorded twice"
        for kind in ("last", "best"):
            saved = torch.load(folder / f"{kind}.ckpt", weights_only=True)
            for part in ("state_dict", "current_model_state"):
                content |= {f"{kind}.{part}.{n}": value.numpy().tobytes() for n, value in saved[part].items()}
        return content

    def step_of(self, name: str) -> int:
        return int(torch.load(self.folder / "runs" / name / "last.ckpt", weights_only=True)["global_step"])


@pytest.fixture
def trainings(
    server: ForkServerContext, tmp_path: Path, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> Trainings:
    monkeypatch.chdir(tmp_path)  # processes of the server start where this one is
    return Trainings(server, tmp_path, make_config)


@pytest.fixture(scope="module")
def uninterrupted() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_saves_the_last_step_and_resuming_changes_nothing(
    moment: str, trainings: Trainings, uninterrupted: dict[str, Any]
) -> None:
    if not uninterrupted:
        assert trainings.run("whole", trainer={"epochs": 2}) == 0
        uninterrupted |= trainings.content("whole")
    number, target, call = MOMENTS[moment]
    changes = {"trainer": {"epochs": 2, "checkpoint_every": 2 if "checkpoint" in moment else 100}}
    assert trainings.run("run", Signal(target, call, number), **changes) == 128 + number
    (line,) = [line for line in trainings.output.read_text().splitlines() if "stopped" in line]
    assert line == f"stopped by {number.name}: continue with --resume, from runs/run/last.ckpt"
    assert "Traceback" not in trainings.output.read_text()
    assert not list((trainings.folder / "runs" / "run").glob(".*"))
    if "training_step" in target:
        assert trainings.step_of("run") == call
    assert trainings.run("run", resume=True, **changes) == 0
    found = trainings.content("run")
    assert found.keys() == uninterrupted.keys()
    assert [name for name, value in uninterrupted.items() if found[name] != value] == []


def test_a_signal_while_the_teacher_cache_is_filled(trainings: Trainings) -> None:
    assert trainings.run("teacher", trainer={"epochs": 1}) == 0
    cache = CacheConfig("landmarks", Path("cache"))
    changes: dict[str, Any] = {"teacher": Path("runs/teacher/best.ckpt"), "kd": {"kind": "coordinate", "cache": cache}}
    changes["trainer"] = {"epochs": 1}
    filling = Signal("distill.training.teacher_cache.record_store:RecordStore.write", 3, signal.SIGTERM)
    assert trainings.run("student", filling, **changes) == 143
    line = "stopped by SIGTERM before the first step: start runs/student again with --resume"
    assert line in trainings.output.read_text().splitlines()
    assert trainings.run("student", resume=True, **changes) == 0
    assert trainings.step_of("student") == 4


def test_a_signal_before_the_training_leaves_nothing(trainings: Trainings) -> None:
    reading = Signal("distill.training.fit:make_data", 1, signal.SIGINT)
    assert trainings.run("run", reading) == 130
    assert "stopped by SIGINT before the training began" in trainings.output.read_text()
    assert not (trainings.folder / "runs").exists()


def test_a_second_signal_ends_at_once(trainings: Trainings) -> None:
    """Also in a step that never ends."""
    step = f"{TASK}.training_step"
    process = trainings.start("run", Signal(step, 2, signal.SIGINT, hang_s=100))
    started = wait_for(lambda: "sent SIGINT" in read(trainings.output))
    time.sleep(ONE_REQUEST_S + 0.1)
    os.kill(process.pid, signal.SIGINT)
    process.join(20)
    assert process.exitcode == 130
    assert time.monotonic() - started < 20


def test_a_signal_to_all_processes_of_a_job(trainings: Trainings) -> None:
    """Workers of the data loader get it too, and must not take the step along that is being computed."""
    step = Signal(f"{TASK}.training_step", 6, signal.SIGTERM, group=True)
    assert trainings.run("run", step, data={"workers": 2, "cache": False}) == 143
    assert trainings.step_of("run") == 6
    assert "Traceback" not in trainings.output.read_text()


def test_a_second_training_in_a_folder_is_refused(trainings: Trainings) -> None:
    hang = Signal(f"{TASK}.training_step", 2, None, hang_s=100)
    first = trainings.start("run", hang)
    wait_for(lambda: "sent" in read(trainings.output))
    other = Trainings(trainings.server, trainings.folder, trainings.make_config)
    other.output = trainings.folder / "other"
    assert other.run("run", seed=1) == 2
    message = f"error: runs/run: process {first.pid} is training in this folder; wait for it, stop it, or choose"
    assert message in other.output.read_text()
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    shutil.rmtree(trainings.folder / "runs")
    assert other.run("run", trainer={"epochs": 1}) == 0


def read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def wait_for(condition: Any, seconds: float = 60) -> float:
    """Wait until it holds; return the time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
    return time.monotonic()
