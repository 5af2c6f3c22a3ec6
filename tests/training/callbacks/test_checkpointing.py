"""A checkpoint is whole or the one before it; nothing is left beside it."""

from pathlib import Path

import pytest
import torch

from distill.training.callbacks.checkpointing import AtomicCheckpointIO, remove_leftovers


def test_a_failing_save_leaves_the_last_checkpoint_and_no_orphan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO()
    io.save_checkpoint({"step": 1, "weights": torch.arange(10)}, path)
    save = torch.save

    def half_a_save(content: object, target: Path) -> None:
        save(content, target)
        whole = target.read_bytes()
        target.write_bytes(whole[: len(whole) // 2])
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", half_a_save)
    with pytest.raises(OSError, match="No space"):
        io.save_checkpoint({"step": 2, "weights": torch.arange(10)}, path)
    assert io.load_checkpoint(path)["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_a_killed_save_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("last.ckpt", "best.ckpt", ".last.abc123.ckpt", ".best.x_y.ckpt", "metrics.csv", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", "best.ckpt", "metrics.csv", ".hidden"}
    remove_leftovers(tmp_path / "not there")
