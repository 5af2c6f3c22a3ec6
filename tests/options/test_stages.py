"""Recipes in stages: one configuration a stage, over the rest of the recipe and under the command line."""

from pathlib import Path
from typing import Any

import pytest

from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.options.stages import parse_stages
from distill.training.config import StudentConfig

RECIPE = """
teacher: t.ckpt
kd: {kind: kl, weight: 2}
optim: {lr: 0.1}
model: {options: {width: 64}}
stages:
- {trainer: {epochs: 4}}
- {kd: {kind: none}, optim.lr: 0.01, model: {options: {norm: batch}}}
"""


def configs(path: Path, *argv: str, recipe: str = RECIPE) -> list[StudentConfig]:
    path = path / "recipe.yaml"
    path.write_text(recipe)
    parser = options_of("student", "", StudentConfig)
    return [StudentConfig(**values) for values in parse_stages(parser, ["--config", str(path), *argv])]


def test_a_stage_is_merged_over_the_rest(tmp_path: Path) -> None:
    first, second = configs(tmp_path)
    assert (first.trainer.epochs, first.optim.lr, first.kd.kind, first.teachers) == (4, 0.1, "kl", [Path("t.ckpt")])
    assert (second.optim.lr, second.kd.kind, second.teachers) == (0.01, "none", [])
    assert (first.model.options, second.model.options) == ({"width": 64}, {"width": 64, "norm": "batch"})


def test_without_stages_there_is_one(tmp_path: Path) -> None:
    (only,) = configs(tmp_path, "--seed", "3", recipe="kd: {kind: none}\n")
    assert only.seed == 3


def test_the_line_wins_in_every_stage(tmp_path: Path) -> None:
    words = ["--optim.lr", "1", "--model.options", '{"width": 8, "norm": "group"}', "--trainer.epochs=2", "--resume"]
    for stage in configs(tmp_path, *words):
        assert (stage.optim.lr, stage.trainer.epochs, stage.resume) == (1, 2, True)
        assert stage.model.options == {"width": 8, "norm": "group"}


def test_distillation_on_the_line_is_for_the_stages_that_distil(tmp_path: Path) -> None:
    first, second = configs(tmp_path, "--teacher", "a.ckpt", "b.ckpt", "--kd.weight", "5", "--kd.temperature", "2")
    assert (first.teachers, first.kd.weight, first.kd.temperature) == ([Path("a.ckpt"), Path("b.ckpt")], 5, 2)
    assert (second.teachers, second.kd.kind) == ([], "none")


def test_the_baseline_distils_in_no_stage(tmp_path: Path) -> None:
    stages = configs(tmp_path, "--kd.kind", "none")
    assert [(stage.kd.kind, stage.teachers) for stage in stages] == [("none", [])] * 2
    assert [stage.trainer.epochs for stage in stages] == [4, 100]


def test_initial_weights_are_for_the_first_stage(tmp_path: Path) -> None:
    first, second = configs(tmp_path, "--model.init", "start.ckpt")
    assert (first.model.init, second.model.init) == (Path("start.ckpt"), None)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("{}", r"stages must be a list of mappings of options, one a stage, not \{\}"),
        ("[]", "stages must be a list of mappings"),
        ("[student]", "stages must be a list of mappings"),
        ("[{}, {name: other}]", "stage 2 sets name, which belongs to the whole run: give it beside the stages"),
        ("[{}, {model.init: a.ckpt}]", "stage 2 sets model.init, .*: stages start from the weights of the one before"),
        ("[{optim: {lrr: 1}}]", "lrr"),
        ("[{loss: {kind: star}}]", "option 'loss.kind' is now 'loss.name'"),
    ],
)
def test_a_stage_that_is_none_is_refused(stages: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        configs(tmp_path, recipe=f"kd: {{kind: none}}\nstages: {stages}\n")


def test_an_option_without_effect_in_all_stages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no effect"):
        configs(tmp_path, "--log.project", "x", "--log.wandb", "disabled")


def test_other_commands_refuse_stages(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("stages: [{}]\n")
    parser: Any = options_of("train", "", StudentConfig)
    with pytest.raises(ConfigError, match="the recipe has stages: only `distill teacher` and `distill student`"):
        parse(parser, ["--config", str(path)])
