"""Command-line options from typed classes and functions, with one-line errors."""

import json
import sys
from argparse import SUPPRESS, Action
from collections.abc import Callable, Collection, Sequence
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter
from yaml import YAMLError

from distill.errors import ConfigError
from distill.options.messages import one_line
from distill.options.needs import require_effect
from distill.options.recipes import load_recipe, merge, nested, option_names, read_yaml

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


class _OneLinePerOption(DefaultHelpFormatter):
    """Shows `--name  what it is [default]` on one line, so that the help of a training fits two screens."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "width": 130, "max_help_position": 30})

    def format_help(self) -> str:
        """Return the help without blank lines."""
        head, options, groups = super().format_help().partition("\noptions:\n")
        return f"{head}\n{groups}".replace("\n\n", "\n") if options else head

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


def options_of(command: str, description: str, target: Callable[..., Any], *positional: str) -> ArgumentParser:
    """Return the parser of a command whose options are the parameters of `target`, from the line or from YAML.

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
        ConfigError: unknown, missing or mistyped option, an unreadable file, or a word that is not UTF-8.
    """
    for word in argv:
        if (shown := word.encode("utf-8", "backslashreplace").decode()) != word:
            raise ConfigError(f"{shown}: this name is not UTF-8; rename the file or folder")
    try:
        values = parser.instantiate(parser.parse_args(_compose(_name_positionals(argv, positional, parser), parser)))
    except ArgumentError as error:
        raise ConfigError(one_line(str(error), parser)) from error
    found = {name: value for name, value in vars(values).items() if name != "config"}
    require_effect(parser.prog.removeprefix("distill "), explicit_options(argv), found)
    return found


def explicit_options(argv: list[str]) -> dict[str, str]:
    """Return the options typed on the command line, with the words that follow them; recipes are not among them."""
    typed: dict[str, str] = {}
    for index, word in enumerate(argv):
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        following = argv[index + 1] if index + 1 < len(argv) and not argv[index + 1].startswith("--") else ""
        typed[name] = value if equals else following
    typed.pop("config", None)
    return typed


def _compose(argv: list[str], parser: ArgumentParser) -> list[str]:
    """Merge all `--config` files and the mappings on the line into one configuration; the rest of the line wins.

    Raises:
        ConfigError: an unreadable recipe, a retired option, or a teacher beside `--kd.kind none`.
    """
    free = [action.dest for action in parser._actions if "dict[" in str(getattr(action, "_typehint", None)).lower()]
    names = {action.dest for action in parser._actions}
    typed = explicit_options(argv)
    _require_current(list(typed), names)
    recipes, rest = _take(argv, ("config",))
    merged: dict[str, Any] = {}
    for _, path in recipes:
        merged = merge(merged, load_recipe(path, free), free)
    if "kd.kind" in names and typed.get("kd.kind") == "none":
        if typed.get("teacher", "null") not in ("null", '["null"]'):
            raise ConfigError("--teacher contradicts --kd.kind none: leave one of them out")
        merged = merge(merged, nested("kd.kind", "none"), free)
    _require_current(option_names(merged), names)
    mappings, rest = _take(rest, free)
    for name, text in mappings:
        value = _mapping(text)
        if value is None:
            rest = [*rest, f"--{name}", text]
        else:
            merged = merge(merged, nested(name, value), free)
    return ["--config", json.dumps(merged, ensure_ascii=False), *rest] if merged else rest


def _take(argv: list[str], names: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the values of some options, in order, and the words without them."""
    taken, rest, index = [], list[str](), 0
    while index < len(argv):
        name, equals, value = argv[index].removeprefix("--").partition("=")
        index += 1
        if not argv[index - 1].startswith("--") or name not in names or (not equals and index == len(argv)):
            rest.append(argv[index - 1])
            continue
        if not equals:
            value = argv[index]
            index += 1
        taken.append((name, value))
    return taken, rest


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


def _name_positionals(argv: list[str], names: tuple[str, ...], parser: ArgumentParser) -> list[str]:
    """`MODEL --json OUT --resume` -> `--model MODEL --json OUT --resume true`.

    Bare words take the positional names in order; a name ending in `...` takes all that are left, as a list.
    A switch without a value is on.
    """
    named, joined = [], _join_lists(argv, parser)
    switches = {f"--{action.dest}" for action in parser._actions if getattr(action, "_typehint", None) is bool}
    rest = _words_first(joined) if names else joined
    for name in names:
        words: list[str] = []
        while rest and not rest[0].startswith("-") and (name.endswith("...") or not words):
            words.append(rest.pop(0))
        if words:
            named += [f"--{name.removesuffix('...')}", _as_list(words) if name.endswith("...") else words[0]]
    for word, following in zip(rest, [*rest[1:], "--"], strict=False):  # without words, nothing follows
        named += [word, "true"] if word in switches and following.startswith("--") else [word]
    return named


def _words_first(words: list[str]) -> list[str]:
    """`--model M photo.jpg` -> `photo.jpg --model M`: move bare words after the value of an option to the front."""
    bare: list[str] = []
    options: list[str] = []
    takes_value = False
    for word in words:
        if word.startswith("--") or (word.startswith("-") and not takes_value):
            takes_value = "=" not in word
        elif takes_value:
            takes_value = False
        else:
            bare.append(word)
            continue
        options.append(word)
    return [*bare, *options]


def _join_lists(argv: list[str], parser: ArgumentParser) -> list[str]:
    """`--threads 1 2 --json OUT` -> `--threads ["1", "2"] --json OUT`, which is how the parser takes a list."""
    lists = {f"--{action.dest}" for action in parser._actions if "list[" in str(getattr(action, "_typehint", None))}
    joined: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        joined.append(word)
        if word in lists:
            count = next((index for index, other in enumerate(rest) if other.startswith("--")), len(rest))
            words, rest = rest[:count], rest[count:]
            whole = len(words) == 1 and words[0].startswith("[")
            joined.append(words[0] if whole else _as_list(words))
    return joined


def _as_list(words: list[str]) -> str:
    """Words as the parser takes a list: JSON that is not escaped, as YAML has no surrogate pairs."""
    return json.dumps(words, ensure_ascii=False)
