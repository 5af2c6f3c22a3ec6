"""Reader of the YAML files of the papers: sections for tables and figures, each of parts with one state.

A file has `title`, `source` and `sections`. A section names its tables and figures (`items`), and has a `title` and
`parts`. A part is some rows and columns of it that share a state, and a `note` in Markdown:

    rows       names (by default those of the items), or a mapping from names to what stands for {key} in
               the paths, or for {NAME} if that is a mapping
    columns    each has `name`, `published` (a number or null per row), `ours` (a path), `digits` and `factor` of ours
    state      reproduced: `command` makes numbers of ours that compare with the published ones;
               runnable: `command` would, but for what is `missing` here: `data`, a `device`, or `training`, which says
               on a GPU or for how many core-hours of a CPU;
               not planned: `reason` says why
    measured   of a runnable part whose columns have `ours`: `limits` says why these numbers do not compare with the
               published ones, `command` makes them where it is another one than that of the part

Parts that are reproduced or measured, and no others, have columns with `ours`.
A path is FILE#A/B/C, where a segment is a key, an index, or KEY=VALUE,KEY=VALUE, which selects an entry of a list.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from scripts.studies.common.marked_blocks import ROOT

FOLDER = Path("scripts/studies/papers")
PAPERS = ("swinv2_mobilevitv2", "efld", "lite_hrnet_plus", "thesis", "retinaface_mobilenetv2")
# What a part must have, and must not have, in each state.
STATES = {
    "reproduced": (("command",), ("missing", "measured", "reason")),
    "runnable": (("command", "missing"), ("reason",)),
    "not planned": (("reason",), ("command", "missing", "measured")),
}
# What can be missing here.
KINDS = ("data", "device", "training")


@dataclass(frozen=True)
class Column:
    """A column: published numbers by row, and where ours are; `factor` turns ours into the published unit."""

    name: str
    published: Sequence[float | None] = ()
    ours: str | None = None
    digits: int = 2
    factor: float = 1.0


@dataclass(frozen=True)
class Measured:
    """Why our numbers of a runnable part do not compare, and what makes them unless the command of the part does."""

    limits: str
    command: str | None = None


@dataclass(frozen=True)
class Part:
    """Rows and columns of a table or figure that share a state."""

    state: str
    rows: Mapping[str, Mapping[str, str]]
    columns: Sequence[Column]
    command: str | None = None
    missing: Mapping[str, str] | None = None
    measured: Measured | None = None
    reason: str | None = None
    note: str | None = None

    def ours(self, column: Column, row: str) -> float | None:
        """Return our number of a cell, in the published unit."""
        if column.ours is None:
            return None
        return column.factor * value_of(column.ours.format(**self.rows[row]))

    def commands(self) -> list[str]:
        """Return the scripts of a part: the one of its state, and the one that made its numbers if it is another."""
        return [text for text in (self.command, self.measured and self.measured.command) if text]


@dataclass(frozen=True)
class Section:
    """Tables and figures that are described together, such as `table 4`."""

    items: Sequence[str]
    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Paper:
    """A paper with all its tables and figures."""

    title: str
    source: str
    sections: Sequence[Section]


def path_of(name: str) -> str:
    """Return the file of a paper, relative to the repository."""
    return f"{FOLDER}/{name}.yaml"


@cache
def load_paper(name: str) -> Paper:
    """Return the paper of a name."""
    return read_paper(ROOT / path_of(name))


def read_paper(path: Path) -> Paper:
    """Read the file of a paper.

    Raises:
        ValueError: a part without state, without what its state needs, or with what it has not.
    """
    content = yaml.safe_load(path.read_text())
    sections = [
        Section(entry["items"], entry["title"], [_part(part, entry["items"]) for part in entry["parts"]])
        for entry in content["sections"]
    ]
    return Paper(content["title"], content["source"], sections)


def _part(values: dict[str, Any], items: Sequence[str]) -> Part:
    given = values.get("rows", items)
    rows = {str(row): given[row] if isinstance(given, dict) else {} for row in given}
    rows = {row: key if isinstance(key, dict) else {"key": key} for row, key in rows.items()}
    columns = [Column(**column) for column in values.get("columns", [])]
    measured = Measured(**values["measured"]) if "measured" in values else None
    part = Part(**{**values, "rows": rows, "columns": columns, "measured": measured})
    if problem := _problem(part):
        raise ValueError(f"{items}: {problem}")
    return part


def _problem(part: Part) -> str | None:
    """Return what is wrong with a part, if anything."""
    if part.state not in STATES:
        return f"state {part.state!r} is none of {', '.join(STATES)}"
    needed, refused = STATES[part.state]
    if lacking := [name for name in needed if not getattr(part, name)]:
        return f"a part that is {part.state} needs `{lacking[0]}`"
    if surplus := [name for name in refused if getattr(part, name)]:
        return f"a part that is {part.state} has no `{surplus[0]}`"
    if unknown := [kind for kind in part.missing or () if kind not in KINDS]:
        return f"what is missing is one of {', '.join(KINDS)}, not {unknown[0]!r}"
    with_numbers = part.state == "reproduced" or part.measured is not None
    if with_numbers != any(column.ours for column in part.columns):
        return "parts that are reproduced or measured, and no others, have a column with `ours`"
    for column in part.columns:
        if column.published and len(column.published) != len(part.rows):
            return f"{len(column.published)} numbers of {column.name!r} for {len(part.rows)} rows"
    return None


def value_of(path: str) -> float:
    """Return the number at a path such as `results/studies/thesis.json#networks/dan_1/gt_percent`.

    Raises:
        LookupError: no file, key or entry of that name, or several.
    """
    file, _, inside = path.partition("#")
    found = _content(file)
    for segment in inside.split("/"):
        found = _step(found, segment, path)
    return float(found)


@cache
def _content(file: str) -> Any:
    if not (ROOT / file).is_file():
        raise LookupError(f"{file} does not exist")
    text = (ROOT / file).read_text()
    return json.loads(text) if file.endswith(".json") else yaml.safe_load(text)


def _step(found: Any, segment: str, path: str) -> Any:
    if isinstance(found, list) and "=" in segment:
        wanted = dict(word.split("=") for word in segment.split(","))
        entries = [entry for entry in found if all(str(entry.get(name)) == value for name, value in wanted.items())]
        if len(entries) != 1:
            raise LookupError(f"{path}: {len(entries)} entries are {segment}, not one")
        return entries[0]
    try:
        return found[int(segment)] if isinstance(found, list) else found[segment]
    except (KeyError, IndexError, ValueError, TypeError):
        raise LookupError(f"{path}: no {segment}") from None
