"""Words of a command line: typed options, positional names, lists and options that are taken out."""

import json
from collections.abc import Sequence

from jsonargparse import ArgumentParser


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


def take_options(argv: list[str], names: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
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


def name_positionals(argv: list[str], names: tuple[str, ...], parser: ArgumentParser) -> list[str]:
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
