"""Tables of the validation of a data set, for the terminal."""

from collections import defaultdict
from typing import TYPE_CHECKING

from distill.data.check.finding import Finding, Report

if TYPE_CHECKING:
    from rich.table import Table


def tables(report: Report, show: int) -> "list[Table | str]":
    """Return the counts by subset, and the findings by check with at most `show` examples each."""
    return [_counts(report), _findings(report, show) if report.findings else "nothing found"]


def _counts(report: Report) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"faces by subset ({report.seconds:.0f} s)")
    for name in ("subset", "faces", "photos", "groups", "scheme", "labels", "not marked", "face px 5/50/95 %"):
        table.add_column(name, justify="left" if name in ("subset", "scheme", "labels") else "right")
    for name, row in report.subsets.items():
        labels = ", ".join(f"{count} {label}" for label, count in row.labels.items())
        pixels = "/".join(f"{value:.0f}" for value in row.face_px) if row.face_px else "-"
        cells = (row.faces, row.photos, row.groups, row.scheme, labels, row.unmarked_points, pixels)
        table.add_row(escape(name), *(escape(str(cell)) for cell in cells))
    return table


def _findings(report: Report, show: int) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    groups: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in report.findings:
        groups[finding.severity, finding.check, finding.todo].append(finding)
    table = Table(title="findings", show_lines=True)
    for name in ("", "check", "n", "file: finding", "what to do"):
        table.add_column(name, justify="right" if name == "n" else "left", overflow="fold")
    for (severity, check, todo), items in groups.items():
        lines = [f"{item.file}: {item.what}" for item in items[:show]]
        lines += [f"... and {len(items) - show} more (--json)"] if len(items) > show else []
        table.add_row(severity, check, str(len(items)), escape("\n".join(lines)), todo)
    return table
