"""Command-line options from typed classes and functions, with one-line errors."""

import json
import sys
from argparse import SUPPRESS, Action
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter
from yaml import YAMLError

from distill.errors import ConfigError
from distill.options.messages import one_line
from distill.options.needs import require_effect
from distill.options.recipes import STAGES, load_recipe, merge, nested, option_names, read_yaml
from distill.options.words import explicit_options, name_positionals, take_options

# Retired options and configuration keys, and what replaces them.
RENAMED = {
    "loss.kind": "loss.name",
    "kd.only": "kd.supervised",
    "data.rounds": "data.augment_period",
    "kd.cache.gigabytes": "kd.cache.max_gb",
    "ladder": "parity_report",  # codespell:ignore ladder
    "second_opinion": "cross_check",
    "kinds": "modes",
    "quantise": "quantize",
    "quantise.float_modules": "quantize.float_modules",
    "quantise.float_ops": "quantize.float_ops",
    "quantise.float_statistics": "quantize.float_statistics",
    "quantise.hybrid_modules": "quantize.hybrid_modules",
}
# Those of RENAMED whose meaning was reversed.
_INVERTED = ("kd.only",)


class _Parser(ArgumentParser):
    """Raises where the help cannot be written, which argparse ignores."""

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stdout).write(message)


_WIDTH = 130


class _OneLinePerOption(DefaultHelpFormatter):
    """Shows `--name  what it is [default]` on one line, so that the help of a training fits two screens."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "width": _WIDTH, "max_help_position": 30})

    def format_help(self) -> str:
        """Return the help without blank lines and without headings inside a group, such as that of `--data.crop.`.

        The first line holds usage and description where both fit.
        """
        head, options, groups = super().format_help().partition("\noptions:\n")
        if not options:
            return head
        usage, _, description = head.rstrip("\n").partition("\n\n")
        if "\n" not in description and len(usage) + len(description) < _WIDTH:
            head = f"{usage}: {description}\n"
        lines = f"{head}\n{groups}".replace("\n\n", "\n").splitlines(keepends=True)
        following = [*lines[1:], ""]
        return "".join(line for line, below in zip(lines, following, strict=True) if not _heads_inner(line, below))

    def _format_action(self, action: Action) -> str:
        nested = any(name.endswith((".help", "--help")) for name in action.option_strings)
        hidden = action.help == "Path to a configuration file." or "--print_config" in action.option_strings
        return "" if hidden or nested else super()._format_action(action)

    def _format_action_invocation(self, action: Action) -> str:
        return next(name for name in action.option_strings if name.startswith("--"))

    def _get_help_string(self, action: Action) -> str:
        text = str(action.help or "").rstrip(".")
        default = _shown_value(action.default)
        return f"{text} [{default.replace('%', '%%')}]" if default else text


def _heads_inner(line: str, below: str) -> bool:
    """Return whether a line of the help is the heading of options whose names have two dots or more."""
    return not line.startswith(" ") and below.startswith("  --") and below.split()[0].count(".") > 1


@cache
def options_of(command: str, description: str, target: Callable[..., Any], *positional: str) -> ArgumentParser:
    """Return the parser of a command whose options are the parameters of `target`, from the line or from YAML.

    It is made once in a process, which takes as long as parsing a command line.

    Args:
        command: its name.
        description: shown above the help.
        target: a dataclass or function; types, defaults and doc lines come from it.
        positional: parameters given without a name, in order; each may be left out if `target` has a default for it.
    """
    parser = _Parser(
        prog=f"distill {command}",
        description=description,
        formatter_class=_OneLinePerOption,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="YAML file with any of these options.")
    if isinstance(target, type):
        parser.add_class_arguments(target, as_group=False)
    else:
        parser.add_function_arguments(target, as_positional=False, as_group=False)
    _leave_to_presets(parser)
    if not any(action.dest == "plugin" for action in parser._actions):
        parser.epilog = "--plugin FILE imports a Python file that registers networks, losses or formats of your own"
    parser.usage = " ".join(["distill", command, *(f"[{shown_positional(name)}]" for name in positional), "[options]"])
    return parser


def _leave_to_presets(parser: ArgumentParser) -> None:
    """Take the defaults away that a preset decides, so that what is typed can be told from what is not.

    A default value that is a configuration has filled them in.
    """
    names = {action.dest for action in parser._actions}
    groups = [name.removesuffix("preset") for name in names if name.endswith(".preset")]
    parser.set_defaults({f"{group}{name}": None for group in groups for name in ("format", "root")})


def shown_positional(name: str) -> str:
    """`data.root` -> `ROOT`, as usage lines name an argument that is given without its option."""
    return name.rpartition(".")[2].upper() if not name.endswith("...") else name.upper()


def _shown_value(value: Any) -> str:
    """Return a default as it is written on the command line; empty where there is nothing to show."""
    if value in (None, SUPPRESS) or value in ([], {}, ()):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return " ".join(map(_shown_value, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)


def parse(parser: ArgumentParser, argv: list[str], *positional: str) -> dict[str, Any]:
    """Return the keyword arguments for the parser's target.

    Raises:
        ConfigError: unknown, missing or mistyped option, an unreadable file, or a recipe in stages.
    """
    given = compose(parser, argv, *positional)
    if STAGES in given.recipe:
        raise ConfigError(f"the recipe has {STAGES}: only `distill teacher` and `distill student` train them")
    return parsed_values(parser, given.over(given.recipe), given.words, explicit_options(argv))


def parsed_values(
    parser: ArgumentParser, recipe: Mapping[str, Any], words: Sequence[str], typed: Collection[str]
) -> dict[str, Any]:
    """Return the keyword arguments for the parser's target from a composed recipe.

    Args:
        recipe: options, nested.
        words: command line that wins over it.
        typed: options that were typed, which must have an effect.

    Raises:
        ConfigError: unknown, missing or mistyped option, or one without effect.
    """
    config = ["--config", json.dumps(recipe, ensure_ascii=False)] if recipe else []
    try:
        values = parser.instantiate(parser.parse_args([*config, *words]))
    except ArgumentError as error:
        raise ConfigError(one_line(str(error), parser)) from error
    found = {name: value for name, value in vars(values).items() if name != "config"}
    require_effect(parser.prog.removeprefix("distill "), typed, found)
    return found


@dataclass(frozen=True)
class Given:
    """Options that were given to a command.

    Attributes:
        recipe: of all `--config` files, nested.
        mappings: typed options that are merged over the recipe, nested.
        words: the rest of the command line, which wins over both.
        free: options whose value is a mapping of free keys.
    """

    recipe: dict[str, Any]
    mappings: dict[str, Any]
    words: list[str]
    free: list[str]

    def over(self, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """Return a recipe with the typed mappings merged over it."""
        return merge(recipe, self.mappings, self.free)


def compose(parser: ArgumentParser, argv: list[str], *positional: str) -> Given:
    """Merge all `--config` files into one recipe, and tell the mappings on the line from the rest of it.

    Raises:
        ConfigError: an unreadable recipe, a retired option, a word that is not UTF-8, or a teacher beside
            `--kd.kind none`.
    """
    _require_utf8(argv)
    argv = name_positionals(argv, positional, parser)
    free = [action.dest for action in parser._actions if "dict[" in str(getattr(action, "_typehint", None)).lower()]
    names = {action.dest for action in parser._actions}
    typed = explicit_options(argv)
    _require_current(list(typed), names)
    recipes, rest = take_options(argv, ("config",))
    recipe: dict[str, Any] = {}
    for _, path in recipes:
        recipe = merge(recipe, load_recipe(path, free), free)
    mappings: dict[str, Any] = {}
    if "kd.kind" in names and typed.get("kd.kind") == "none":
        if typed.get("teacher", "null") not in ("null", '["null"]'):
            raise ConfigError("--teacher contradicts --kd.kind none: leave one of them out")
        mappings = nested("kd.kind", "none")
    found, rest = take_options(rest, free)
    for name, text in found:
        value = _mapping(text)
        if value is None:
            rest = [*rest, f"--{name}", text]
        else:
            mappings = merge(mappings, nested(name, value))
    stages = recipe.get(STAGES)
    parts = (
        [recipe, *(stage for stage in stages if isinstance(stage, Mapping))] if isinstance(stages, list) else [recipe]
    )
    for part in (*parts, mappings):
        _require_current(option_names(part), names)
    return Given(recipe, mappings, rest, free)


def _require_utf8(words: Sequence[str]) -> None:
    for word in words:
        if (shown := word.encode("utf-8", "backslashreplace").decode()) != word:
            raise ConfigError(f"{shown}: this name is not UTF-8; rename the file or folder")


def _stages(recipe: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    stages = recipe.get(STAGES)
    return [stage for stage in stages if isinstance(stage, Mapping)] if isinstance(stages, list) else []


def _mapping(text: str) -> dict[str, Any] | None:
    try:
        value = read_yaml(text)
    except YAMLError:
        return None
    return value if isinstance(value, dict) else None


def _require_current(given: Sequence[str], names: Collection[str]) -> None:
    for name in given:
        if name in RENAMED and name not in names and RENAMED[name] in names:
            inverse = " with the opposite value" if name in _INVERTED else ""
            raise ConfigError(f"option '{name}' is now '{RENAMED[name]}': write --{RENAMED[name]}{inverse}")
