"""`distill data ACTION`: generate, draw, check, prepare and pack faces; list public data sets."""

from collections.abc import Callable

from distill.cli.data.check import check
from distill.cli.data.pack import pack
from distill.cli.data.prepare import prepare
from distill.cli.data.sheet import sheet
from distill.cli.data.sources import sources
from distill.cli.data.synth import synth
from distill.cli.options import options_of, parse
from distill.errors import ConfigError, suggest

ACTIONS: dict[str, tuple[Callable[..., int], tuple[str, ...]]] = {
    "synth": (synth, ("root",)),
    "sheet": (sheet, ("out",)),
    "check": (check, ("data.root",)),
    "prepare": (prepare, ("out",)),
    "pack": (pack, ("out",)),
    "sources": (sources, ("name",)),
}


def run(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        first, *others = (f"distill data {name} {names[0].upper()} [options]" for name, (_, names) in ACTIONS.items())
        print("\n".join([f"usage: {first}", *(f"       {line}" for line in others)]))
        return 0
    if argv[0] not in ACTIONS:
        raise ConfigError(f"unknown action 'data {argv[0]}': {suggest(argv[0], list(ACTIONS))}")
    action, positional = ACTIONS[argv[0]]
    description = (action.__doc__ or "").splitlines()[0]
    return action(**parse(options_of(f"data {argv[0]}", description, action, *positional), argv[1:], *positional))
