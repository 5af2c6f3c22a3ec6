"""The process of a trial: what it is called with, how it ends, and why it failed."""

import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.errors import ConfigError
from distill.sweep import worker as module
from distill.sweep.worker import Worker, failure, start
from tests.support.lock_owner import locked_by_another


class FakeProcess:
    returncode: int | None = 2

    def __init__(self, command: list[str] | None = None, **options: Any):
        self.command, self.options, self.signals = command or [], options, list[int]()

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


def test_a_new_trial_gets_its_options_and_a_begun_one_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.subprocess, "Popen", FakeProcess)
    folder = tmp_path / "trial_0"
    content = {"optim": {"lr": 0.5}, "name": "trial_0"}
    first: Any = start(None, folder, "student", ["a", "b.yaml"], content, 1, {"X": "y"}).process
    words = first.command[first.command.index("distill") + 1 :]
    assert words == ["student", "--config", "a", "--config", "b.yaml", "--config", str(folder / "trial.yaml")]
    assert yaml.safe_load((folder / "trial.yaml").read_text()) == content
    assert first.options["env"]["X"] == "y"
    (folder / "config.yaml").touch()
    second: Any = start(None, folder, "student", ["a"], {}, 1, {}).process
    assert second.command[-3:] == ["--config", str(folder / "config.yaml"), "--resume"]
    assert yaml.safe_load((folder / "trial.yaml").read_text()) == content, "it says what the trial began with"


def test_a_training_ends_with_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.subprocess, "Popen", FakeProcess)
    process: Any = start(None, tmp_path / "t", "teacher", [], {}, 0, {}).process
    if sys.platform == "linux":
        assert process.command[4] == str(int(signal.SIGTERM)), "sent by the system when the sweep ends"


def test_stop_signals_only_what_runs(tmp_path: Path) -> None:
    ended, running = FakeProcess(), FakeProcess()
    running.returncode = None
    for process in (ended, running):
        Worker(None, tmp_path, process, 0).stop()  # type: ignore[arg-type]
    assert (ended.signals, running.signals) == ([], [signal.SIGTERM])


@pytest.mark.parametrize(
    ("status", "log", "reason"),
    [
        (2, "epoch 1\nerror: data/300W: no such folder\n", "data/300W: no such folder (status 2)"),
        (1, "Traceback\nValueError: x\n\n", "ValueError: x (status 1)"),
        (1, "", "no output (status 1)"),
        (-9, "error: x\n", "ended by SIGKILL"),
    ],
)
def test_the_reason_of_a_failure(status: int, log: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "training.log").write_text(log)
    process = FakeProcess()
    process.returncode = status
    assert failure(Worker(None, tmp_path, process, 0)) == reason  # type: ignore[arg-type]


def test_a_training_that_is_still_saving_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed sweep leaves trainings that save their last step; the next start must not fail on their lock."""
    with locked_by_another(tmp_path, "is training in"):
        monkeypatch.setattr(module.subprocess, "Popen", FakeProcess)
        monkeypatch.setattr(module, "_SAVING_S", 0.1)
        with pytest.raises(ConfigError, match="is training in this folder"):
            start(None, tmp_path, "student", [], {}, 0, {})
        monkeypatch.setattr(module, "_SAVING_S", 60)
        waits = iter([ConfigError("busy"), None])
        monkeypatch.setattr(module, "folder_lock", lambda *_: _raise_or_free(next(waits)))
        start(None, tmp_path, "student", [], {}, 0, {})
    assert next(waits, "used up") == "used up"


def _raise_or_free(error: Exception | None) -> AbstractContextManager[None]:
    if error is not None:
        raise error
    return nullcontext()
