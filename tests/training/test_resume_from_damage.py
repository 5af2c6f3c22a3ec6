"""A checkpoint that cannot be resumed from is named, together with one that can."""

from pathlib import Path

import pytest
import torch

from distill.errors import CheckpointError
from distill.training.config import RunConfig
from distill.training.resume import checkpoint_to_resume

WHOLE = {"state_dict": {"net.a": torch.zeros(1000)}, "optimizer_states": [], "loops": {}}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut", r"\d+ bytes cut short or damaged"),
        ("empty", "an empty file"),
        ("zeros", "a file full of zeros"),
        ("text", r"\d+ bytes of something else"),
        ("other", "no optimizer_states in it"),
    ],
)
def test_a_damaged_checkpoint_is_one_line_that_names_a_whole_one(tmp_path: Path, kind: str, message: str) -> None:
    path = tmp_path / "last.ckpt"
    torch.save(WHOLE, tmp_path / "best.ckpt")
    if kind == "other":
        torch.save({"state_dict": {}}, path)
    else:
        data = (tmp_path / "best.ckpt").read_bytes()
        contents = {"cut": data[: len(data) // 2], "empty": b"", "zeros": bytes(len(data)), "text": b"hello " * 40}
        path.write_bytes(contents[kind])
    with pytest.raises(CheckpointError, match=rf"last\.ckpt: cannot be resumed from \({message}") as caught:
        checkpoint_to_resume(tmp_path, RunConfig())
    assert f"{tmp_path / 'best.ckpt'} is whole" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_whole_checkpoint_another_run_is_advised(tmp_path: Path) -> None:
    for name in ("last.ckpt", "best.ckpt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match="no other checkpoint of the run is whole"):
        checkpoint_to_resume(tmp_path, RunConfig())


def test_a_whole_checkpoint_is_resumed_from(tmp_path: Path) -> None:
    torch.save(WHOLE, tmp_path / "last.ckpt")
    assert checkpoint_to_resume(tmp_path, RunConfig()) == tmp_path / "last.ckpt"
