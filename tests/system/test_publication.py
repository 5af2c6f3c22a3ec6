"""Files of a set appear together: a kill at any moment leaves the set of before or the new one."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from distill.system import publication
from distill.system.locks import folder_lock
from distill.system.publication import staged

NAMES = ("model.onnx", "model.tflite", "model.json", "set.json")
# Calls that change folders; a kill comes before one of them.
CALLS = [(os, "link"), (publication, "_exchange"), *((Path, name) for name in ("rename", "replace", "unlink", "rmdir"))]


def publish(target: Path, version: str) -> None:
    with folder_lock(target, "is exporting to", "--out"), staged(target) as staging:
        for name in NAMES:
            (staging.folder / name).write_text(version)
        staging.publish("set.json")


def killed_at(call: int, target: Path) -> None:
    """Publish a new set in this process, which kills itself at a call."""
    calls = count()

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        return guarded

    for owner, name in CALLS:
        setattr(owner, name, counted(getattr(owner, name)))
    publish(target, "new")


def content(target: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in target.iterdir() if path.is_file() and path.name != ".lock"}


def after_kills(target: Path, prepare: Callable[[Path], None]) -> list[dict[str, str]]:
    """Return what lies in the target after a kill at the first call, the second and so on, and at the end."""
    found = []
    for call in count():
        publish(target, "old")
        prepare(target)
        process = multiprocessing.get_context("fork").Process(target=killed_at, args=(call, target))
        process.start()
        process.join(30)
        found.append(content(target))
        if process.exitcode == 0:
            return found
        assert process.exitcode == -signal.SIGKILL
    raise AssertionError


def test_a_kill_leaves_one_whole_set(tmp_path: Path) -> None:
    target = tmp_path / "export"
    found = after_kills(target, lambda target: (target / "notes.txt").write_text("mine") and None)
    whole = [{**dict.fromkeys(NAMES, version), "notes.txt": "mine"} for version in ("old", "new")]
    assert all(files in whole for files in found)
    assert found[0] == whole[0]
    assert found[-1] == whole[1]
    assert len(found) > len(NAMES)
    publish(target, "new")
    assert sorted(tmp_path.rglob("*")) == sorted([target, *(target / name for name in whole[1])]), "something is left"


def test_where_the_folder_cannot_be_replaced_sets_are_not_mixed_under_one_statement(tmp_path: Path) -> None:
    """A folder inside could be in use; the statement disappears first and comes last."""
    target = tmp_path / "export"
    found = after_kills(target, lambda target: (target / "inside").mkdir(exist_ok=True))
    for files in found:
        stated = files.get("set.json")
        assert stated is None or all(files[name] == stated for name in NAMES)
    assert found[-1] == dict.fromkeys(NAMES, "new")
    publish(target, "new")
    assert {path.name for path in target.iterdir()} == {*NAMES, "inside"}
    assert list(tmp_path.iterdir()) == [target]


def test_the_current_folder_stays_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    publish(Path(), "new")
    assert content(Path()) == dict.fromkeys(NAMES, "new")


def test_without_exchange_of_folders_files_are_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(first: Path, second: Path) -> None:
        raise OSError(38, "Function not implemented")

    target = tmp_path / "export"
    publish(target, "old")
    (target / "notes.txt").write_text("mine")
    monkeypatch.setattr(publication, "_exchange", refuse)
    publish(target, "new")
    assert content(target) == {**dict.fromkeys(NAMES, "new"), "notes.txt": "mine"}


def test_nothing_appears_before_the_publication(tmp_path: Path) -> None:
    target = tmp_path / "export"
    with folder_lock(target, "is exporting to", "--out"), staged(target) as staging:
        (staging.folder / "model.onnx").write_text("new")
        assert content(target) == {}
    assert list(tmp_path.iterdir()) == []


def test_the_folder_has_the_permissions_of_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "export"
    target.mkdir(mode=0o750)
    publish(target, "new")
    assert target.stat().st_mode & 0o777 == 0o750
