"""A tracker cannot hold up or end a training: no key, no server, a server that does not answer, a lost one."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distill.tracking import wandb_server
from distill.tracking.wandb_server import PATIENCE_S, why_offline
from distill.training.fit import train_student
from distill.training.loggers import wandb as module
from distill.training.loggers.wandb import WandbLog
from tests.support.wandb_files import read_wandb

KEY = "0123456789" * 4


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key in the home folder or the environment; the mode is not preset."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "NETRC"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def silent_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{door.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield


@pytest.mark.usefixtures("home")
def test_no_key_is_a_reason() -> None:
    reason = why_offline("project", "name", "abc", patience_s=60)
    assert reason is not None
    assert "key" in reason.lower()


@pytest.mark.usefixtures("home")
def test_a_helper_process_that_is_lost_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child took the helper process of its parent, whose end sent runs offline although the server answers."""
    monkeypatch.setenv("WANDB_SERVICE", "3-1-unix-/tmp/no/such/socket")
    reason = why_offline("project", "name", "abc", patience_s=60)
    assert reason is not None
    assert "key" in reason.lower()


@pytest.mark.usefixtures("home", "silent_server")
def test_a_silent_server_is_left_after_a_while_with_nothing_running() -> None:
    start = time.monotonic()
    assert why_offline("project", "name", "abc", patience_s=2) == "no answer in 2 s"
    assert time.monotonic() - start < 2 + 3
    assert PATIENCE_S + 3 <= 15
    end = time.monotonic() + 10  # the service watches the process that started it
    while running := [path for path in Path("/proc").glob("[0-9]*/cmdline") if is_child_of_test(path)]:
        assert time.monotonic() < end, running
        time.sleep(0.1)


def is_child_of_test(path: Path) -> bool:
    try:
        words = path.read_bytes()
        environment = (path.parent / "environ").read_bytes()
    except OSError:
        return False
    return b"wandb" in words and os.environ["WANDB_BASE_URL"].encode() in environment


@pytest.mark.usefixtures("home", "silent_server")
def test_a_run_without_a_server_is_recorded_offline(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wandb_server, "PATIENCE_S", 0.5)
    log = WandbLog(make_config("run", log={"wandb": "online"}), tmp_path / "run")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("W&B cannot record online (no answer in 0 s): recording offline; later: wandb login")
    assert log.run.offline
    log.log_metrics({"train/loss": 1.0}, step=1)
    log.finalize("failed")
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))


def test_a_relative_folder_is_found_by_the_service_in_another_working_directory(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The service of this process keeps the working directory of its first run, and ends where a folder is missing.
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        log = WandbLog(make_config("run", log={"wandb": "offline"}), Path("run"))
        log.log_metrics({"train/loss": 1.0}, step=1)
        log.finalize("success")
        (file,) = (tmp_path / name / "run" / "wandb").glob("offline-run-*/*.wandb")
        assert read_wandb(file, wait_s=30).numbers == {(1, "train/loss"): 1.0}


def test_a_run_is_online_where_the_server_takes_it(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, Any] = {}
    monkeypatch.setattr(module, "why_offline", lambda *arguments, **options: None)
    monkeypatch.setattr("wandb.init", lambda **options: opened.update(options))
    WandbLog(make_config("run", log={"wandb": "online"}), tmp_path / "run")
    assert (opened["mode"], opened["resume"]) == ("online", "allow")
    assert opened["settings"].finish_timeout == module._FINISH_S


def test_a_failing_tracker_is_one_line(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Lost:
        offline = False

        def __getattr__(self, name: str) -> Any:
            raise BrokenPipeError("the service is gone")

    monkeypatch.setattr("wandb.init", lambda **options: Lost())
    log = WandbLog(make_config("run", log={"wandb": "offline"}), tmp_path / "run")
    for step in (1, 2):
        log.log_metrics({"train/loss": 1.0}, step=step)
    log.finalize("success")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("W&B failed (the service is gone): the training goes on; later: distill sync ")


def test_a_service_that_does_not_start_is_one_line(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**options: Any) -> None:
        raise ConnectionError("no connection to the service")

    monkeypatch.setattr("wandb.init", fail)
    log = WandbLog(make_config("run", log={"wandb": "offline"}), tmp_path / "run")
    log.replay([(1, "train/loss", 1.0)])
    log.log_metrics({"train/loss": 1.0}, step=2)
    log.finalize("success")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("W&B failed (no connection to the service): the training goes on")
    assert log.version == ""


def test_a_run_can_be_found_and_shows_its_best(make_config: Any, teacher: Path) -> None:
    """Group, job type, tags, notes, facts of the run, and the lowest NME in the summary whatever came last."""
    log = {"wandb": "offline", "project": "faces", "entity": "lab", "group": "study", "tags": ["a", "b"], "notes": "n"}
    trainer = {"epochs": 2, "validate_every": 1}
    folder = train_student(make_config("student", teacher=teacher, log=log, trainer=trainer))
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    found = read_wandb(file)
    config = found.run.pop("config")
    assert found.run == {
        "id": (folder / "wandb_id.txt").read_text().strip(), "project": "faces", "entity": "lab", "group": "study",
        "job_type": "student", "name": "student", "notes": "n", "tags": ["a", "b"],
    }  # fmt: skip
    summary = json.loads((folder / "summary.json").read_text())
    for name in ("commit", "train_hash", "val_hash", "teachers", "weights", "train_faces"):
        assert config[name] == summary[name]
    nmes = {step: value for (step, name), value in found.numbers.items() if name == "val/nme"}
    assert len(nmes) == 2
    assert found.summary["val/nme"] == {"min": min(nmes.values()), "last": nmes[max(nmes)]}
    assert found.summary["best/val_nme"] == summary["val_nme"]
    assert found.summary["best/best_step"] == summary["best_step"]
    # Made from these faces and this teacher; what it made is its best model, known by its content.
    assert {a["type"] for a in found.used.values()} == {"dataset", "model"}
    assert found.used["teacher-best"]["metadata"]["sha256"] == summary["teachers"][0]
    assert set(found.logged["student-best"]["aliases"]) == {"best", "latest"}
    assert found.logged["student-best"]["metadata"]["val_nme"] == summary["val_nme"]


def test_a_run_of_a_sweep_has_the_id_that_the_agent_chose(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, Any] = {}
    monkeypatch.setattr("wandb.init", lambda **options: opened.update(options))
    monkeypatch.setattr(module, "why_offline", lambda *arguments, **options: pytest.fail("opened a second run"))
    monkeypatch.setenv("WANDB_RUN_ID", "a1b2")
    assert module.sweep_run_id() is None
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    WandbLog(make_config("run", log={"wandb": "online"}), tmp_path / "run")
    assert (opened["id"], opened["mode"]) == ("a1b2", "online")
