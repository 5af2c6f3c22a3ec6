"""Sweep files: every value of their search space is an option value that the training takes."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.cli.main import main
from distill.cli.sweep import accept, options_of_trial, require_accepted
from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.sweep.config import SweepConfig
from distill.sweep.space import parse_space
from distill.training.config import StudentConfig

ROOT = Path(__file__).parents[2]
# Recipes in stages are not searched.
RECIPE = str(ROOT / "configs/base/teacher.yaml")
SWEEPS = ROOT / "configs" / "sweeps"
LR = {"optim.lr": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}}


def sweep_of(**content: Any) -> SweepConfig:
    return SweepConfig(**{"command": "teacher", "recipes": [RECIPE], "search": LR, **content})


@pytest.mark.parametrize(
    "path", [path for path in SWEEPS.glob("*.yaml") if not path.name.startswith("wandb")], ids=lambda path: path.stem
)
def test_a_sweep_file_is_accepted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = SweepConfig(**parse(options_of("sweep", "", SweepConfig), ["--config", str(path)]))
    require_accepted(config, parse_space(config.search))
    assert config.name == f"sweep_{path.stem}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"search": {"optim.lrr": [1.0]}}, "unknown option 'optim.lrr': did you mean 'optim.lr'"),
        ({"search": {"optim.lr": ["fast"]}}, "--optim.lr fast: must be a number"),
        (
            {"search": {"optim.lr": {"type": "float", "low": 1.0, "high": 1000.0}}},
            "does not take optim.lr 1000.0: --optim.lr 1000.0 must be in",
        ),
        ({"search": {"optim.schedule": ["cosine", "linear"]}}, "does not take optim.schedule linear"),
        ({"search": {**LR, "optim.momentum": [0.9]}}, "--optim.momentum has no effect"),
        ({"options": {"optim": {"nam": "sgd"}}}, "unknown option 'optim.nam'"),
        ({"recipes": ["teachr"]}, "no recipe 'teachr'"),
    ],
)
def test_what_a_training_refuses_is_one_line_before_the_first_trial(content: dict[str, Any], message: str) -> None:
    config = sweep_of(**content)
    with pytest.raises(ConfigError, match=message) as caught:
        require_accepted(config, parse_space(config.search))
    assert "\n" not in str(caught.value)


def test_searched_values_win_over_options_and_options_over_recipes() -> None:
    config = sweep_of(options={"optim": {"lr": 0.5, "warmup": 0.25}, "trainer.epochs": 8, "trainer.validate_every": 4})
    run = accept(config, {"optim.lr": 0.125}, "")
    assert (run.optim.lr, run.optim.warmup, run.trainer.epochs) == (0.125, 0.25, 8)


def test_the_trials_of_a_sweep_are_one_group() -> None:
    assert options_of_trial(sweep_of(), {})["log"]["group"] == "sweep"
    assert options_of_trial(sweep_of(options={"log": {"group": "mine"}}), {})["log"]["group"] == "mine"
    detector = SweepConfig(command="detector", search=LR)
    assert options_of_trial(detector, {})["log"]["group"] == detector.name


def test_without_a_sweep_file_one_line_names_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep"]) == 2
    assert "configs/sweeps/student.yaml" in capsys.readouterr().err


class TestWandbSweepFile:
    """`configs/sweeps/wandb_student.yaml`, as W&B's agent uses it."""

    content: Any = yaml.safe_load((SWEEPS / "wandb_student.yaml").read_text())

    def ends(self) -> list[dict[str, Any]]:
        """Every end of a range and value of a list, the other parameters at their first."""
        values = {
            name: given["values"] if "values" in given else [given["min"], given["max"]]
            for name, given in self.content["parameters"].items()
        }
        first = {name: given[0] for name, given in values.items()}
        return [{**first, name: value} for name, given in values.items() for value in given]

    def test_the_command_of_every_run_is_accepted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils", reason="wandb is not installed")
        monkeypatch.chdir(ROOT)
        for values in self.ends():
            arguments = utils.create_sweep_command_args({"args": {name: {"value": v} for name, v in values.items()}})
            template = utils.create_sweep_command(self.content["command"])
            words = [word for item in template for word in (arguments["args"] if item == "${args}" else [item])]
            assert words[:3] == ["${env}", "bash", "-c"]
            inner = shlex.split(words[3].replace("$WANDB_RUN_ID", "a1b2"))
            assert inner[:3] == ["exec", "distill", "student"]
            assert inner[-1] == "$@"
            config = StudentConfig(**parse(options_of("student", "", StudentConfig), [*inner[3:-1], *words[5:]]))
            assert (config.name, config.log.wandb) == ("sweep_a1b2", "online")
            assert config.optim.lr == values["optim.lr"]

    def test_the_metric_is_one_that_a_training_sends(self) -> None:
        from distill.training.loggers.wandb import _BEST

        metric = self.content["metric"]
        assert {"minimize": "min", "maximize": "max"}[metric["goal"]] == _BEST[metric["name"]]

    def test_wandb_takes_the_file(self) -> None:
        sweeps = pytest.importorskip("sweeps", reason="W&B's package `sweeps` is not installed")
        assert not sweeps.schema_violations_from_proposed_config(self.content)
