"""Markdown of a paper's tables and figures, and of the summary of all papers."""

import shlex
import textwrap
from collections import Counter
from collections.abc import Sequence

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
    lines = [f"| paper | tables, figures | {' | '.join(STATES)} |", f"|---|---:|{'---:|' * len(STATES)}"]
    for name in PAPERS:
        paper = load_paper(name)
        counted = rows_by_state(paper)
        items = sum(len(section.items) for section in paper.sections)
        cells = [f"[{paper.title}](papers/{name}.md)", str(items), *(str(counted[state]) for state in STATES)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rows_by_state(paper: Paper) -> Counter[str]:
    """Return the number of rows by state; a row whose columns have two states counts in both."""
    counted: Counter[str] = Counter()
    for section in paper.sections:
        for state in STATES:
            rows = {row for part in section.parts if part.state == state for row in part.rows}
            counted[state] += len(rows)
    return counted


def _title_of(items: Sequence[str]) -> str:
    """`["figure 1", "figure 2", "figure 4"]` -> `Figures 1, 2, 4`; items of several kinds stay as they are."""
    kinds = {item.partition(" ")[0] for item in items}
    if len(items) > 1 and len(kinds) == 1:
        text = f"{min(kinds)}s {', '.join(item.partition(' ')[2] for item in items)}"
    else:
        text = ", ".join(items)
    return text[0].upper() + text[1:]


def _section(section: Section) -> str:
    heading = f"## {_title_of(section.items)}: {section.title}"
    return "\n\n".join([heading, *(_part(part, section) for part in section.parts)])


def _part(part: Part, section: Section) -> str:
    pieces = [] if list(part.rows) == list(section.items) else [table(part)]
    if part.state == "not planned":
        pieces.append(_wrapped(f"**Not planned:** {part.reason}"))
    else:
        pieces += [_wrapped(_heading(part)), f"```bash\n{str(part.command).strip()}\n```"]
    if part.note:
        pieces += [_wrapped(paragraph) for paragraph in part.note.strip().split("\n\n")]
    return "\n\n".join(pieces)


def _heading(part: Part) -> str:
    """Return what stands before the commands of a part."""
    if part.state == "measured":
        return f"**Measured, not comparable with the published numbers:** {part.limits}. By:"
    return f"**Runnable**, missing here: {part.missing}" if part.missing else "**Reproduced** by:"


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
    return [line for line in written_out((part.command or "").splitlines()) if line.strip()]


def commands(paper: Paper) -> list[list[str]]:
    """Return the words of every command of a paper, with loops and variables written out."""
    parts = [part for section in paper.sections for part in section.parts]
    return [shlex.split(line) for line in dict.fromkeys(line for part in parts for line in lines_of(part))]
