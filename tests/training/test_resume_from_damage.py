"""A checkpoint that cannot be resumed from is named, together with one that can."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.errors import CheckpointError
from distill.training.config import RunConfig
from distill.training.fit import train_teacher
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


def _without_moments(content: dict[str, Any]) -> None:
    del content["optimizer_states"][0]["state"]


def _other_loops(content: dict[str, Any]) -> None:
    content["loops"] = {"fit_loop": 7}


def _other_weights(content: dict[str, Any]) -> None:
    content["state_dict"] = {name: value.reshape(-1)[:0] for name, value in content["state_dict"].items()}


def _best_as_text(content: dict[str, Any]) -> None:
    content["callbacks"] = dict.fromkeys(content["callbacks"], "best")


@pytest.mark.parametrize("change", [_without_moments, _other_loops, _other_weights, _best_as_text])
def test_a_checkpoint_that_lightning_cannot_restore_is_one_line(
    change: Callable[[dict[str, Any]], None], make_config: Any
) -> None:
    config = make_config("run")
    path = train_teacher(config) / "last.ckpt"
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"last\.ckpt: cannot be resumed from .*best\.ckpt is whole") as caught:
        train_teacher(replace(config, resume=True))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_resumed_from(tmp_path: Path, value: float) -> None:
    torch.save({**WHOLE, "state_dict": {"net.a": torch.tensor([1.0, value])}}, tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match=r"net\.a holds NaN or infinity"):
        checkpoint_to_resume(tmp_path, RunConfig())
