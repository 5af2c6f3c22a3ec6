"""One owner of a folder at a time; the lock goes with its process and leaves nothing."""

import errno
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from distill.errors import ConfigError
from distill.system.locks import folder_lock


def hold(folder: Path, ready: Any, release: Any) -> None:
    with folder_lock(folder, "is training in"):
        ready.set()
        release.wait(30)


@pytest.fixture
def holder(tmp_path: Path) -> Any:
    context = multiprocessing.get_context("fork")
    ready, release = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path / "runs" / "a", ready, release))
    process.start()
    assert ready.wait(30)
    yield process, release
    process.kill()  # a killed process never wakes up to an event
    process.join()


def test_a_second_process_is_refused_with_the_number_of_the_first(tmp_path: Path, holder: Any) -> None:
    process, release = holder
    folder = tmp_path / "runs" / "a"
    with (
        pytest.raises(ConfigError, match=f"process {process.pid} is training in this folder"),
        folder_lock(folder, "is training in"),
    ):
        pass
    assert folder.is_dir(), "the folder of the first was removed"
    with folder_lock(tmp_path / "runs" / "b", "is training in"):
        pass
    release.set()
    process.join()
    assert not (tmp_path / "runs").exists()
    with folder_lock(folder, "is training in"):
        (folder / "kept").touch()
    assert [path.name for path in folder.iterdir()] == ["kept"]


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, holder: Any) -> None:
    process, _ = holder
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with folder_lock(tmp_path / "runs" / "a", "is training in"):
        assert (tmp_path / "runs" / "a" / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_forked_worker_does_not_keep_the_lock(tmp_path: Path) -> None:
    """Workers of a data loader may live a little longer than the training."""
    release = multiprocessing.get_context("fork").Event()
    with folder_lock(tmp_path / "a", "is training in"):
        worker = multiprocessing.get_context("fork").Process(target=release.wait, args=(30,))
        worker.start()
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    other = context.Process(target=hold, args=(tmp_path / "a", ready, release))
    other.start()
    assert ready.wait(30)
    release.set()
    worker.join()
    other.join()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"), folder_lock(tmp_path / "file" / "a", "is training in"):
        pass


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of the lock can be made where not even the number of the process can be written."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("distill.system.locks.os.pwrite", full)
    folder = tmp_path / "runs" / "one"
    expected = r"runs/one: cannot be written \(No space left on device\)"
    with pytest.raises(ConfigError, match=expected), folder_lock(folder, "trains in"):
        pass
    assert not list(tmp_path.iterdir())
