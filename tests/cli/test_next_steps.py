"""What a finished training advises can be typed as it stands."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from distill.cli.evaluate import evaluate
from distill.cli.export import export
from distill.cli.next_steps import finished, next_commands
from distill.data.config import CropConfig, DataConfig
from distill.options.parser import options_of, parse
from distill.training.config import RunConfig, StudentConfig
from distill.training.train import TrainResult

TARGETS: dict[str, Any] = {"evaluate": (evaluate, "model"), "export": (export, "model"), "student": (StudentConfig,)}


def parsed(command: str) -> dict[str, Any]:
    program, name, *words = shlex.split(command)
    assert program == "distill"
    target, *positional = TARGETS[name]
    return parse(options_of(name, "", target, *positional), words, *positional)


def test_a_teacher_is_evaluated_and_distilled_from(tmp_path: Path) -> None:
    root = tmp_path / "my faces"
    data = DataConfig("csv", root, "a", "b", test_subset="c", scheme="ibug68", crop=CropConfig(scale=1.3, shift_y=0.0))
    measured, student = map(parsed, next_commands(RunConfig(data=data), Path("runs/teacher/best.ckpt")))
    assert (measured["data"].format, measured["data"].root, measured["data"].subset) == ("csv", root, "c")
    assert student["teacher"] == [Path("runs/teacher/best.ckpt")]
    for name in ("format", "root", "subset", "val_subset", "test_subset", "scheme"):
        assert getattr(student["data"], name) == getattr(data, name)
    assert (student["data"].crop.scale, student["data"].crop.shift_y) == (1.3, 0.0)


def test_a_student_is_evaluated_and_exported() -> None:
    config = StudentConfig(data=DataConfig(preset="300w"), teacher=Path("t.ckpt"))
    measured, exported = next_commands(config, Path("runs/student/best.ckpt"))
    assert parsed(measured)["data"].preset == "300w"
    assert parsed(exported)["model"] == Path("runs/student/best.ckpt")


@pytest.mark.parametrize("config", [RunConfig(), StudentConfig(teacher=Path("t.ckpt"))])
def test_the_result_comes_first(config: RunConfig) -> None:
    lines = finished(config, TrainResult(Path("runs/a"), 0.03412, "ocular", 120, 7.0)).splitlines()
    assert lines[0] == "done: validation NME 3.41 % (ocular), the lowest in 120 steps"
    assert lines[1] == "best weights: runs/a/best.ckpt"
    assert lines[2] == "next:"
    assert all(line.startswith("  distill ") for line in lines[3:])


def test_a_network_of_a_plugin_comes_with_it() -> None:
    configs = RunConfig(plugin=Path("net.py")), StudentConfig(teacher=Path("t.ckpt"), plugin=[Path("net.py")])
    for config in configs:
        for command in next_commands(config, Path("runs/net/best.ckpt")):
            assert "--plugin net.py" in command
