"""`distill data ACTION`: generate, draw, check, label, prepare and pack faces; list public data sets."""

from distill.cli.actions import Actions, run_action
from distill.cli.data.check import check
from distill.cli.data.label import label
from distill.cli.data.pack import pack
from distill.cli.data.prepare import prepare
from distill.cli.data.sheet import sheet
from distill.cli.data.sources import sources
from distill.cli.data.synth import synth

ACTIONS: Actions = {
    "synth": (synth, ("root",)),
    "sheet": (sheet, ("out",)),
    "check": (check, ("data.root",)),
    "label": (label, ("out",)),
    "prepare": (prepare, ("out",)),
    "pack": (pack, ("out",)),
    "sources": (sources, ("name",)),
}


def run(argv: list[str]) -> int:
    return run_action("data", ACTIONS, argv)
