"""A checkpoint is whole or the one before it; nothing is left beside it."""

from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from distill.errors import TrainingError
from distill.files import sha256
from distill.training.callbacks.checkpointing import AtomicCheckpointIO, RunCheckpoints, remove_leftovers
from distill.training.fit import train_teacher
from distill.training.loggers.csv import CsvLog
from distill.training.tasks import LandmarkTask
from tests.support.training_runs import numbers, weights


def test_a_failing_save_leaves_the_last_checkpoint_and_no_orphan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO()
    io.save_checkpoint({"step": 1, "weights": torch.arange(10)}, path)
    save = torch.save

    def half_a_save(content: object, target: BinaryIO) -> None:
        save(content, target)
        target.truncate(target.tell() // 2)
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", half_a_save)
    with pytest.raises(OSError, match="No space"):
        io.save_checkpoint({"step": 2, "weights": torch.arange(10)}, path)
    assert io.load_checkpoint(path)["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_content_is_the_same_file(tmp_path: Path) -> None:
    """The temporary name would otherwise be the name of the archive inside, and every hash of the file another one."""
    for name in ("first", "second"):
        AtomicCheckpointIO().save_checkpoint({"step": 1, "weights": torch.arange(10)}, tmp_path / name / "best.ckpt")
    first, second = ((tmp_path / name / "best.ckpt").read_bytes() for name in ("first", "second"))
    assert first == second


def test_equal_content_is_the_same_file_whatever_objects_it_is_made_of(tmp_path: Path) -> None:
    """Strings that were read from a file are other objects than those in the code: so it is after a resume."""
    io, state = AtomicCheckpointIO(), torch.nn.BatchNorm1d(2).state_dict()
    content = {"loops": {"step": 1}, "states": [{"step": torch.arange(3)}], "state_dict": state, "betas": (0.9, "a b")}
    io.save_checkpoint(content, tmp_path / "first.ckpt")
    read = io.load_checkpoint(tmp_path / "first.ckpt")
    io.save_checkpoint({**content, "states": read["states"], "state_dict": read["state_dict"]}, tmp_path / "again.ckpt")
    assert (tmp_path / "first.ckpt").read_bytes() == (tmp_path / "again.ckpt").read_bytes()
    assert type(read["state_dict"]) is type(state)
    assert getattr(read["state_dict"], "_metadata") == getattr(state, "_metadata")  # noqa: B009 - not in its type
    assert type(read["betas"]) is tuple


def test_leftovers_of_a_killed_save_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("last.ckpt", "best.ckpt", ".last.abc123.ckpt", ".best.x_y.ckpt", "metrics.csv", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", "best.ckpt", "metrics.csv", ".hidden"}
    remove_leftovers(tmp_path / "not there")


class _CrashError(Exception):
    """Stands for a kill; all that runs after it is Lightning's clean-up."""


def _crash_in(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, call: int, after: bool) -> None:
    """Let a method fail on its n-th call, before or after it did its work."""
    original, calls = getattr(owner, method), iter(range(1, 10**6))

    def failing(self: Any, *args: Any, **kwargs: Any) -> Any:
        call_number = next(calls)
        if call_number == call and not after:
            raise _CrashError
        result = original(self, *args, **kwargs)
        if call_number == call:
            raise _CrashError
        return result

    monkeypatch.setattr(owner, method, failing)


CRASHES = {
    "in a step that was saved": (RunCheckpoints, "on_train_batch_end", 6, True),
    "in a step that was not saved": (RunCheckpoints, "on_train_batch_end", 7, False),
    "in the middle of a validation": (LandmarkTask, "validation_step", 3, True),
    "after a validation was recorded, before it was saved": (RunCheckpoints, "on_validation_end", 2, False),
    "right after a validation was saved": (RunCheckpoints, "on_validation_end", 2, True),
    "after the last validation": (RunCheckpoints, "on_validation_end", 3, True),
    "before anything was saved": (CsvLog, "log_metrics", 1, True),
}


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("where", CRASHES)
def test_resuming_a_crashed_run_changes_nothing(where: str, make_config: Any, uninterrupted: dict[str, Any]) -> None:
    if not uninterrupted:
        folder = train_teacher(make_config("whole"))
        uninterrupted.update(
            numbers=numbers(folder), **{kind: sha256(folder / f"{kind}.ckpt") for kind in ("last", "best")}
        )
    with pytest.MonkeyPatch.context() as patch:
        _crash_in(patch, *CRASHES[where])
        with pytest.raises(_CrashError):
            train_teacher(make_config("crashed"))
    folder = make_config("crashed").runs / "crashed"
    folder = train_teacher(make_config("crashed", resume=(folder / "last.ckpt").exists()))
    assert numbers(folder) == uninterrupted["numbers"]
    for kind in ("last", "best"):
        assert sha256(folder / f"{kind}.ckpt") == uninterrupted[kind], kind


@pytest.mark.parametrize("every", [1, 100])
def test_a_diverged_training_stops_and_saves_nothing_of_it(
    every: int, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.training.config._MOST_RATE", 1e31)  # such rates are refused
    config = make_config("run", optim={"lr": 1e30, "head_lr": 1e30, "ema": 0.0}, log={"every": every})
    with pytest.raises(
        TrainingError, match=r"training diverged: the norm of the gradient is \w+ at step \d+: .*of .*\d"
    ):
        train_teacher(config)
    for path in (config.runs / "run").glob("*.ckpt"):
        assert all(torch.isfinite(value).all() for value in weights(path).values() if value.is_floating_point())
