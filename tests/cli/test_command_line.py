from dataclasses import dataclass
from pathlib import Path

from distill.cli.command_line import command_line


@dataclass(frozen=True)
class Rule:
    watts: float = 1.0


def measure(
    models: list[Path], names: list[str] | None = None, fast: bool = True, rule: Rule = Rule(), json: Path | None = None
) -> None:
    """Options of a command."""


def test_options_that_differ_are_shown_and_folders_are_not() -> None:
    given = {
        "models": [Path("/home/me/a b.tflite")], "names": ["x", "y"], "fast": False, "rule": Rule(2.0),
        "json": Path("/home/me/out.json"),
    }  # fmt: skip
    line = command_line("bench", measure, given, "models", ["json"])
    assert line == "distill bench 'a b.tflite' --names x y --fast false --rule.watts 2.0"


def test_defaults_are_left_out() -> None:
    given = {"models": [], "names": None, "fast": True, "rule": Rule(), "json": None}
    assert command_line("bench", measure, given, "models", []) == "distill bench "
