"""Training in stages: what each starts from, and that stopping between two of them changes nothing."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.errors import ConfigError
from distill.training.callbacks.progress import Progress
from distill.training.config import RunConfig
from distill.training.interrupt import TrainingInterrupted
from distill.training.stages import linked_stages
from distill.training.train import run_stages
from tests.support.lock_owner import locked_by_another
from tests.support.training_runs import numbers, same_weights, weights


def two_stages(make_config: Any, name: str, resume: bool = False) -> list[RunConfig]:
    stages = [make_config(name, trainer={"epochs": 1}), make_config(name, trainer={"epochs": 2}, optim={"lr": 1e-5})]
    return [replace(stage, resume=resume) for stage in stages]


def test_a_stage_starts_from_the_one_before(make_config: Any) -> None:
    first, second, third = linked_stages([make_config("run", model={"init": Path("a.ckpt")})] * 3)
    assert [first.name, second.name, third.name] == ["run/stage_1", "run/stage_2", "run"]
    runs = first.runs
    starts = [Path("a.ckpt"), runs / "run/stage_1/best.ckpt", runs / "run/stage_2/best.ckpt"]
    assert [stage.model.init for stage in (first, second, third)] == starts


def test_the_run_holds_the_last_stage(make_config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_stages(two_stages(make_config, "run"))
    first = result.folder / "stage_1"
    assert (result.steps, result.best_checkpoint.is_file(), (first / "best.ckpt").is_file()) == (8, True, True)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("stage ")]
    assert lines == [f"stage 1 of 2: {first}", f"stage 2 of 2: {result.folder}"]
    # At its low rate, eight steps leave the second stage near the first, and far from a network of its own.
    start, end = weights(first / "best.ckpt"), weights(result.best_checkpoint)
    other = weights(run_stages([make_config("other", seed=1, trainer={"epochs": 1})]).best_checkpoint)
    matrices = [name for name in start if name.startswith("net.") and start[name].dim() > 1]
    moved, apart = (sum(float((found[name] - start[name]).norm()) for name in matrices) for found in (end, other))
    assert moved < 0.01 * apart


def test_stopping_between_stages_or_in_one_changes_nothing(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_stages(two_stages(make_config, "whole")).folder
    run_stages([linked_stages(two_stages(make_config, "stopped"))[0]])  # as if killed after the first stage
    folder = whole.parent / "stopped"

    def stop(self: Progress, trainer: Any, *args: Any) -> None:
        if trainer.global_step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_train_batch_end", stop)
        with pytest.raises(TrainingInterrupted):
            run_stages(two_stages(make_config, "stopped", resume=True))
    assert torch.load(folder / "last.ckpt", weights_only=True)["global_step"] == 3
    before = (folder / "stage_1" / "last.ckpt").stat().st_mtime_ns
    run_stages(two_stages(make_config, "stopped", resume=True))
    assert (folder / "stage_1" / "last.ckpt").stat().st_mtime_ns == before
    assert numbers(folder) == numbers(whole)
    assert same_weights(folder / "last.ckpt", whole / "last.ckpt")


def test_a_stage_that_cannot_start_is_found_before_the_first(make_config: Any) -> None:
    run_stages([make_config("run", trainer={"epochs": 1})])
    with pytest.raises(ConfigError, match=r"run: this run exists; continue it with --resume, or choose another"):
        run_stages(two_stages(make_config, "run"))
    with pytest.raises(ConfigError, match=r"run does not follow a complete .*stage_1, .*config\.yaml, or choose"):
        run_stages(two_stages(make_config, "run", resume=True))
    assert not (make_config("run").runs / "run" / "stage_1").exists()
    with pytest.raises(ConfigError, match="stages are trained on one device"):
        run_stages([make_config("many", trainer={"devices": 2})] * 2)


def test_a_folder_in_which_another_process_trains_is_refused_before_the_first_stage(make_config: Any) -> None:
    stages = two_stages(make_config, "taken")
    folder = stages[0].runs / "taken"
    taken = r"taken: process \d+ is training in this folder"
    with locked_by_another(folder, "is training in"), pytest.raises(ConfigError, match=taken):
        run_stages(stages)
    assert not (folder / "stage_1").exists()


def test_a_finished_stage_keeps_its_options(make_config: Any) -> None:
    stages = two_stages(make_config, "run")
    run_stages([linked_stages(stages)[0]])
    changed = [replace(stage, seed=5, resume=True) for stage in stages]
    with pytest.raises(ConfigError, match=r"stage_1: --seed was 0, now it is 5; resume with the same options"):
        run_stages(changed)
