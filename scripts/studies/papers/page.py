"""Markdown of a paper's tables and figures, and of the summary of all papers."""

import shlex
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from scripts.studies.common.code_blocks import written_out
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.papers.contents import PAPERS, STATES, Column, Paper, Part, Section, load_paper, path_of

SUMMARY = "scripts/studies/papers#summary"
_COLUMNS = 100


def update(*names: str) -> None:
    """Regenerate the pages of papers, of all if none is named, and the summary."""
    for name in names or PAPERS:
        update_block(path_of(name), block(name))
    update_block(SUMMARY, summary())


def block(name: str) -> str:
    """Return the generated part of a paper's page."""
    return "\n\n".join(_section(section) for section in load_paper(name).sections)


def summary() -> str:
    """Return how many rows of each paper are in which state, as a Markdown table."""
    heads = ["reproduced", "runnable", "of these measured here", "not planned"]
    lines = [f"| paper | tables, figures | {' | '.join(heads)} |", f"|---|---:|{'---:|' * len(heads)}"]
    for name in PAPERS:
        paper = load_paper(name)
        counted = rows_by_state(paper)
        items = sum(len(section.items) for section in paper.sections)
        counts = [counted["reproduced"], counted["runnable"], measured_rows(paper), counted["not planned"]]
        cells = [f"[{paper.title}](papers/{name}.md)", str(items), *map(str, counts)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rows_by_state(paper: Paper) -> Counter[str]:
    """Return the number of rows by state; a row whose columns have two states counts in both."""
    counted: Counter[str] = Counter()
    for section in paper.sections:
        for state in STATES:
            counted[state] += _number_of_rows(part for part in section.parts if part.state == state)
    return counted


def measured_rows(paper: Paper) -> int:
    """Return the number of runnable rows with numbers that were measured here."""
    return sum(_number_of_rows(part for part in section.parts if part.measured) for section in paper.sections)


def _number_of_rows(parts: Iterable[Part]) -> int:
    return len({row for part in parts for row in part.rows})


def _title_of(items: Sequence[str]) -> str:
    """`["figure 1", "figure 2", "figure 4"]` -> `Figures 1, 2, 4`; items of several kinds stay as they are."""
    kinds = {item.partition(" ")[0] for item in items}
    if len(items) > 1 and len(kinds) == 1:
        text = f"{min(kinds)}s {', '.join(item.partition(' ')[2] for item in items)}"
    else:
        text = ", ".join(items)
    return text[0].upper() + text[1:]


def _section(section: Section) -> str:
    pieces = [f"## {_title_of(section.items)}: {section.title}"]
    shown: set[str] = set()
    for part in section.parts:
        pieces += _part(part, section, shown)
        shown.update(part.commands())
    return "\n\n".join(pieces)


def _part(part: Part, section: Section, shown: Collection[str]) -> list[str]:
    """Return the paragraphs of a part.

    Args:
        shown: scripts that the section has already.
    """
    pieces = [] if list(part.rows) == list(section.items) else [table(part)]
    if part.reason:
        pieces.append(_wrapped(f"**Not planned:** {part.reason}"))
    elif part.missing:
        pieces += _with_command(f"**Runnable**, missing here: {_missing(part.missing)}.", part.command, shown)
    else:
        pieces += _with_command("**Reproduced.**", part.command, shown)
    if part.measured:
        text = f"**Measured here**, not comparable with the published numbers: {part.measured.limits}."
        command = part.measured.command or part.command
        pieces += _with_command(text, command, {*shown, str(part.command)})
    if part.note:
        pieces += [_wrapped(paragraph) for paragraph in part.note.strip().split("\n\n")]
    return pieces


def _missing(missing: Mapping[str, str]) -> str:
    return "; ".join(f"*{kind}*: {text}" for kind, text in missing.items())


def _with_command(text: str, command: str | None, shown: Collection[str]) -> list[str]:
    """Return a paragraph and the script that it is of, unless that has several lines and is shown above."""
    if command in shown and "\n" in str(command).strip():
        return [_wrapped(f"{text} By the commands above.")]
    return [_wrapped(f"{text} By:"), f"```bash\n{str(command).strip()}\n```"]


def table(part: Part) -> str:
    """Return a part as a Markdown table: for each column the published number, ours, or both side by side."""
    heads = ["row"]
    for column in part.columns:
        heads += [f"{column.name}{suffix}" for suffix in _suffixes(column)]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for index, row in enumerate(part.rows):
        cells = [row]
        for column in part.columns:
            if column.published:
                cells.append(_number(column.published[index], column.digits))
            if column.ours:
                cells.append(_number(part.ours(column, row), column.digits))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _suffixes(column: Column) -> list[str]:
    if column.published and column.ours:
        return [", published", ", ours"]
    return [", ours"] if column.ours else [""]


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), _COLUMNS, break_long_words=False, break_on_hyphens=False)


def lines_of(part: Part) -> list[str]:
    """Return the commands of a part, with loops and variables written out."""
    return [line for text in part.commands() for line in written_out(text.splitlines()) if line.strip()]


def commands(paper: Paper) -> list[list[str]]:
    """Return the words of every command of a paper, with loops and variables written out."""
    parts = [part for section in paper.sections for part in section.parts]
    return [shlex.split(line) for line in dict.fromkeys(line for part in parts for line in lines_of(part))]
