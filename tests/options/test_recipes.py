"""Composition of recipes: bases, several files, mappings on the command line, retired options."""

from pathlib import Path
from typing import Any

import pytest

from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.options.recipes import load_recipe, merge
from distill.training.config import StudentConfig

ROOT = Path(__file__).parents[2]


def _config(*argv: str) -> StudentConfig:
    return StudentConfig(**parse(options_of("student", "", StudentConfig), list(argv)))


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_bases_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    _write(tmp_path / "base" / "optim.yaml", "bases: [more.yaml]\noptim: {lr: 1e-3, clip: 2}\n")
    _write(tmp_path / "base" / "more.yaml", "seed: 7\noptim: {ema: 0.5}\n")
    recipe = _write(tmp_path / "recipe.yaml", "bases: [base/optim.yaml]\nkd: {kind: none}\noptim: {lr: 0.1}\n")
    config = _config("--config", recipe)
    assert (config.seed, config.optim.lr, config.optim.clip, config.optim.ema) == (7, 0.1, 2.0, 0.5)


def test_a_cycle_of_bases_is_refused(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.yaml", "bases: [b.yaml]\n")
    _write(tmp_path / "b.yaml", "bases: [a.yaml]\n")
    with pytest.raises(ConfigError, match=r"among its own bases \(a.yaml -> b.yaml -> a.yaml\)"):
        load_recipe(first)


def test_bases_that_are_no_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"bases must be a list"):
        load_recipe(_write(tmp_path / "a.yaml", "bases: b.yaml\n"))


def test_an_option_that_every_stage_of_the_base_sets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("stages: [{trainer.epochs: 5, optim: {lr: 1}}, {trainer: {epochs: 6}}]\n")
    path = tmp_path / "own.yaml"
    for text in ("trainer: {epochs: 3}", "trainer.epochs: 3"):
        path.write_text(f"bases: [base.yaml]\n{text}\n")
        with pytest.raises(
            ConfigError, match=r"own\.yaml: trainer\.epochs has no effect, each of the stages of its base"
        ):
            load_recipe(str(path))
    path.write_text("bases: [base.yaml]\noptim: {lr: 2}\n")
    assert load_recipe(str(path))["optim"] == {"lr": 2}, "the second stage does not set it"
    path.write_text("bases: [base.yaml]\ntrainer: {epochs: 3}\nstages: [{optim.lr: 1}]\n")
    assert load_recipe(str(path))["trainer"] == {"epochs": 3}


def test_files_compose_from_left_to_right_wherever_the_line_wins(tmp_path: Path) -> None:
    first = _write(tmp_path / "one.yaml", "kd: {kind: none}\nseed: 1\ndata: {batch_size: 8}\n")
    second = _write(tmp_path / "two.yaml", "seed: 2\n")
    config = _config("--optim.lr", "0.5", "--config", first, f"--config={second}")
    assert (config.seed, config.data.batch_size, config.optim.lr) == (2, 8, 0.5)
    assert _config("--seed", "3", "--config", first).seed == 3


def test_mappings_merge_and_null_removes_a_key(tmp_path: Path) -> None:
    recipe = _write(tmp_path / "r.yaml", "kd: {kind: none}\nmodel: {options: {neck: pyramid, width: 64}}\n")
    merged = _config("--config", recipe, "--model.options", '{"width": 48, "neck": null}')
    assert merged.model.options == {"width": 48}
    over = _write(tmp_path / "over.yaml", "model: {options: {norm: batch}}\n")
    assert _config("--config", recipe, "--config", over).model.options == {
        "neck": "pyramid",
        "width": 64,
        "norm": "batch",
    }


@pytest.mark.parametrize("typed", ["{width:32}", "{wdth: null}"])
def test_null_for_a_key_that_is_not_there_is_refused(typed: str, tmp_path: Path) -> None:
    """Without a space after the colon YAML takes the whole for a key, which was removed without a word."""
    recipe = _write(tmp_path / "r.yaml", "kd: {kind: none}\nmodel: {options: {width: 64}}\n")
    message = r"null removes a key, and this one is not set; write `key: value`, with a space, to set one"
    with pytest.raises(ConfigError, match=message):
        _config("--config", recipe, "--model.options", typed)


@pytest.mark.parametrize("over", [["--kd.kind", "none"], ["--kd.kind=none"], ["--config", "baseline.yaml"]])
def test_the_baseline_of_a_recipe_drops_its_teacher(
    over: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "baseline.yaml", "kd: {kind: none}\n")
    recipe = _write(tmp_path / "r.yaml", "teacher: t.ckpt\nkd: {kind: kl, flip: true, inherit_heads: true}\nseed: 4\n")
    config = _config("--config", recipe, *over)
    assert (config.teacher, config.kd.kind, config.kd.flip, config.seed) == (None, "none", False, 4)


def test_an_explicit_teacher_contradicts_the_baseline() -> None:
    with pytest.raises(ConfigError, match=r"--teacher contradicts --kd.kind none"):
        _config("--teacher", "t.ckpt", "--kd.kind", "none")


def test_bare_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert _config("--config", "student").name == "student"
    with pytest.raises(ConfigError, match=r"no recipe 'studnt': did you mean .*student"):
        _config("--config", "studnt")


def test_retired_options_name_their_successor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.options.parser.RENAMED", {"loss.old": "loss.star"})
    for argv in (["--loss.old", "2"], ["--config", _write(tmp_path / "r.yaml", "loss: {old: 2}\n")]):
        with pytest.raises(ConfigError, match=r"'loss.old' is now 'loss.star'"):
            _config("--kd.kind", "none", *argv)


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"o": {"x": {"y": 1, "z": 2}}}, {"o": {"x": {"y": None}}}, {"o": {"x": {"z": 2}}}),
    ],
)
def test_merge(base: dict[str, Any], over: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merge(base, over, ("o",)) == merged
