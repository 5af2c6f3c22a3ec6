"""Fifty seeded mistakes: each one line that names the key, and the nearest right one where a key is wrong."""

import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.training.config import RunConfig, StudentConfig

KEYS: dict[str, Any] = {
    "seed": 3, "data.batch_size": 8, "data.val_fraction": 0.2, "data.crop.size": 64, "data.crop.scale": 1.2,
    "data.augment.rotate": 9.0, "data.augment.flip": 0.1, "loss.star": 2.0, "loss.sigma": 1.5, "kd.weight": 10.0,
    "kd.temperature": 2.0, "optim.lr": 0.01, "optim.head_lr": 0.02, "optim.weight_decay": 0.1, "optim.warmup": 0.1,
    "optim.clip": 1.0, "trainer.epochs": 4, "trainer.checkpoint_every": 9, "trainer.patience": 2, "trainer.threads": 1,
    "log.every": 5, "log.pictures": 4,
}  # fmt: skip
CHOICES = {"kd.kind": "mse", "kd.decay": "linear", "trainer.precision": "bf16", "log.wandb": "offline"}


def _typo(rng: random.Random, key: str) -> str:
    """Drop, double or swap a letter of the last part."""
    head, dot, name = key.rpartition(".")
    at = rng.randrange(1, len(name)) if len(name) > 2 else 1
    changed = rng.choice(
        [name[:at] + name[at + 1 :], name[:at] + name[at - 1] + name[at:], name[:at] + "x" + name[at:]]
    )
    return head + dot + (changed if changed != name else name + name[-1])


def _nested(key: str, value: Any) -> dict[str, Any]:
    head, _, rest = key.partition(".")
    return {head: _nested(rest, value) if rest else value}


def _message(argv: list[str]) -> str:
    with pytest.raises(ConfigError) as caught:
        StudentConfig(**parse(options_of("student", "Train.", StudentConfig), argv))
    message = str(caught.value)
    assert "\n" not in message
    assert 10 < len(message) < 600
    return message


@pytest.mark.parametrize("number", range(15))
def test_typos_on_the_line(number: int) -> None:
    rng = random.Random(number)
    key = rng.choice([*KEYS, *CHOICES])
    wrong = _typo(rng, key)
    message = _message(["--teacher", "t.ckpt", f"--{wrong}", str({**KEYS, **CHOICES}[key])])
    assert f"'{wrong}'" in message
    assert key in message, f"{key} is nearest to {wrong}"


@pytest.mark.parametrize("number", range(15))
def test_typos_in_a_file(number: int, tmp_path: Path) -> None:
    rng = random.Random(100 + number)
    key = rng.choice([*KEYS, *CHOICES])
    wrong = _typo(rng, key)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"teacher": "t.ckpt", **_nested(wrong, {**KEYS, **CHOICES}[key])}))
    message = _message(["--config", str(path)])
    assert wrong in message
    assert key in message, f"{key} is nearest to {wrong}"


@pytest.mark.parametrize("number", range(12))
def test_wrong_types(number: int, tmp_path: Path) -> None:
    rng = random.Random(200 + number)
    key = rng.choice(list(KEYS))
    value = rng.choice(["many", "1,5", "[1, 2]", "{a: 1}"])
    argv = ["--teacher", "t.ckpt", f"--{key}", value]
    if number % 2:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"teacher": "t.ckpt", **_nested(key, yaml.safe_load(value))}))
        argv = ["--config", str(path)]
    assert key.rpartition(".")[2] in _message(argv)


@pytest.mark.parametrize("key", CHOICES)
@pytest.mark.parametrize("value", ["mean", "17"])
def test_wrong_choices_list_the_right_ones(key: str, value: str) -> None:
    message = _message(["--teacher", "t.ckpt", f"--{key}", value])
    assert key in message
    assert CHOICES[key] in message


def test_contradictions_between_options_are_one_line() -> None:
    assert "--teacher is missing" in _message([])
    assert "--trainer.epochs 5" in _message(
        ["--teacher", "t", "--trainer.epochs", "5", "--trainer.validate_every", "2"]
    )
    assert "--optim.ema" in _message(["--teacher", "t", "--optim.ema", "2"])


@pytest.mark.parametrize("content", ["a: [1", "- 1\n- 2\n", "\x00", "just words"])
def test_files_that_are_no_configuration(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(content)
    _message(["--config", str(tmp_path / "config.yaml")])
    assert "nowhere.yaml" in _message(["--config", str(tmp_path / "nowhere.yaml")])


def test_names_that_are_not_utf8_are_one_line() -> None:
    word = b"photos\xff/faces".decode("utf-8", "surrogateescape")
    with pytest.raises(ConfigError, match=r"^photos\\udcff/faces: this name is not UTF-8; rename the file or folder$"):
        parse(options_of("teacher", "", RunConfig), ["--data.root", word])


def test_yaml_cannot_name_code_to_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (tmp_path / "config.yaml").write_text(f"name: !!python/object/apply:pathlib.Path.touch ['{trace}']\n")
    _message(["--config", str(tmp_path / "config.yaml")])
    assert not trace.exists()


@dataclass(frozen=True)
class _Target:
    """A command.

    Attributes:
        model: first word.
        on: a switch.
        count: a number.
        files: further words.
    """

    model: str = "none"
    on: bool = False
    count: int = 1
    files: list[str] = field(default_factory=list)


def _parse(argv: list[str], *positional: str) -> dict[str, Any]:
    return parse(options_of("command", "Does it.", _Target, *positional), argv, *positional)


def test_switches_need_no_value() -> None:
    assert _parse(["--on"])["on"] is True
    assert _parse(["--on", "--count", "3"]) == {"model": "none", "on": True, "count": 3, "files": []}
    assert _parse(["--on", "false"])["on"] is False
    assert _parse(["--on=true"])["on"] is True
    assert parse(options_of("teacher", "", RunConfig), ["--resume"])["resume"] is True


def test_bare_words_are_positional() -> None:
    assert _parse(["a.ckpt", "--count", "2"], "model")["model"] == "a.ckpt"
    assert _parse(["--count", "2"], "model")["model"] == "none"
    assert _parse(["a", "b", "--on"], "files...")["files"] == ["a", "b"]
    with pytest.raises(ConfigError):
        _parse(["a.ckpt", "b.ckpt"], "model")


def test_bare_words_may_follow_the_value_of_an_option() -> None:
    """`predict --model M photo.jpg` is unambiguous; a word after a switch or a list belongs to that."""
    assert _parse(["--count", "2", "a.ckpt"], "model") == _parse(["a.ckpt", "--count", "2"], "model")
    assert _parse(["--model", "m", "a", "b", "--count=2", "c"], "files...")["files"] == ["a", "b", "c"]
    assert _parse(["--files", "a", "b", "--count", "-2"], "model")["files"] == ["a", "b"]
    with pytest.raises(ConfigError, match=r"unexpected 'b\.ckpt'"):
        _parse(["a.ckpt", "--count", "2", "b.ckpt"], "model")


def test_every_command_shows_how_a_plugin_is_given() -> None:
    assert "\n--plugin FILE imports" in options_of("command", "Does it.", _Target).format_help()
    assert options_of("teacher", "", RunConfig).format_help().count("--plugin") == 1


def test_lists_are_written_as_words() -> None:
    assert _parse(["--files", "a", "b", "--count", "2"]) == {
        "model": "none",
        "on": False,
        "count": 2,
        "files": ["a", "b"],
    }
    assert _parse(["--files"])["files"] == []
    assert _parse(["😀.jpg", "𠮷.png"], "files...")["files"] == ["😀.jpg", "𠮷.png"]
    assert _parse(["--files", '["a", "b"]'])["files"] == ["a", "b"]


def test_the_line_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("optim: {lr: 1e-3, clip: 2}\nseed: 5\n")
    values = parse(options_of("teacher", "", RunConfig), ["--config", str(path), "--optim.lr", "0.5"])
    assert (values["optim"].lr, values["optim"].clip, values["seed"]) == (0.5, 2.0, 5)


def test_help_shows_defaults_as_they_are_typed() -> None:
    lines = options_of("command", "Does it.", _Target, "files...").format_help().splitlines()
    shown = {line.split()[0]: line for line in lines if line.startswith("  --")}
    assert shown["--on"].endswith("a switch [false]")
    assert shown["--files"].endswith("further words")  # none by default
    assert "  --data.boxes " in (text := options_of("teacher", "", RunConfig).format_help())
    assert "[gt]" in text
    assert not re.search(r"\[\[|\[(True|False|None)\]", text)
