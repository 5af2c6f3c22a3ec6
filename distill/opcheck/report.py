"""The op check as text: a table of operators, the reasons in sentences, and a matrix of releases."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from distill.opcheck.check import OpReport
from distill.tflite.releases import COLUMNS, parse_release, parse_version

if TYPE_CHECKING:
    from rich.table import Table


def render(report: OpReport) -> "Table":
    """Return the report as a table for the terminal."""
    from rich.markup import escape
    from rich.table import Table

    verdict = "[green]passes[/]" if report.passed else "[red]fails[/]"
    oldest = f"oldest runtime {report.min_runtime or 'unknown'} (declared in the file: {report.declared or 'none'})"
    table = Table(title=f"{escape(report.model)} {verdict} for {report.runtime}", caption=oldest)
    for heading in ("operator", "version", "nodes", "max rank", "types", "since", "LiteRT", "verdict"):
        numeric = heading in ("version", "nodes", "max rank")
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in report.rows:
        cells = [
            row.op, row.version, row.count, row.max_rank, " ".join(row.dtypes), row.since or "?", row.litert or "?",
            row.verdict,
        ]  # fmt: skip
        table.add_row(*(escape(str(cell)) for cell in cells), style=None if row.verdict == "ok" else "red")
    return table


def render_matrix(report: OpReport) -> "Table":
    """Return operators against every release: a dot where it has them, a cross where not."""
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"{escape(report.model)} in every release", box=SIMPLE, padding=0, pad_edge=False)
    table.add_column("operator", overflow="fold", min_width=20)
    for column in COLUMNS:
        name = "LR" if column == "litert" else column.removeprefix("2.")
        table.add_column(f"{name:>2}", justify="right", no_wrap=True, min_width=2)
    for row in report.rows:
        taken = [_mark(row.litert if column == "litert" else row.since, column) for column in COLUMNS]
        if "✗" in taken:
            table.add_row(escape(f"{row.op} v{row.version}"), *taken)
    whole = ["[green]✓[/]" if passed else "[red]✗[/]" for passed in report.matrix().values()]
    table.add_row("[bold]the file[/]", *whole)
    table.caption = "TensorFlow Lite 2.N, and LR the newest LiteRT; operators that every release has are left out"
    return table


def _mark(since: str | None, column: str) -> str:
    return "·" if parse_release(column).has(since) else "✗"


def sentences(report: OpReport) -> Iterator[str]:
    """Yield the reasons for a refusal, one line for each operator; nothing when it passes."""
    for text in report.explanations:
        yield f"- {text}"


def verdict(report: OpReport, loads: Mapping[str, str]) -> str:
    """Return the result of the check in one sentence.

    The table of operators alone gives an expectation; only a load in the release itself shows that the model runs.

    Args:
        loads: for each runtime, as `NAME VERSION`, `runs` or why it does not.
    """
    if not report.passed or any(outcome != "runs" for outcome in loads.values()):
        return f"does NOT run on TFLite {report.runtime}"
    if any(_is_release(runtime, report.runtime) for runtime in loads):
        return f"runs on TFLite {report.runtime}"
    return f"expected to run on {report.runtime}; not loaded in that release here"


def _is_release(runtime: str, release: str) -> bool:
    """Whether a runtime such as `tflite-runtime 2.11.0` is the requested release."""
    name, _, version = runtime.rpartition(" ")
    wanted = parse_release(release)
    if (name == "litert") != (wanted.family == "litert"):
        return False
    return wanted.version is None or parse_version(version) == wanted.version
