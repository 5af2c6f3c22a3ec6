"""`distill dashboard`: one HTML file over many runs, with interactive charts and no network requests."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib import resources
from typing import Any

from distill.provenance import commit
from distill.report.dashboard.collect import RunEntry
from distill.report.dashboard.data import (
    Group,
    accuracy_table,
    ced_series,
    detection_rows,
    evaluation_groups,
    interval_series,
    landmark_series,
    latency_rows,
    pareto_points,
    parity_rows,
    runs_table,
    training_series,
)
from distill.report.dashboard.lineage_svg import lineage_svg
from distill.report.style import STYLE
from distill.report.tables import column_label
from distill.tracking.graph import lineage_graph
from distill.tracking.tables import Table, Value


class Page:
    """Collects the sections of a dashboard in order; all text is escaped.

    Attributes:
        charts: specification of each chart by its key, as `dashboard.js` reads them.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.charts: dict[str, Any] = {}
        self._parts: list[str] = []
        self._headings: list[str] = []

    def heading(self, text: str) -> None:
        self._headings.append(text)
        self._parts.append(f'<h2 id="section-{len(self._headings)}">{escape(text)}</h2>')

    def text(self, text: str) -> None:
        self._parts.append(f"<p>{escape(text)}</p>")

    def table(self, table: Table) -> None:
        """Add a table that sorts by any column."""
        if not table.rows:
            return
        columns = list(zip(*table.rows, strict=True))
        kinds = [' class="number"' if any(map(_is_number, column)) else "" for column in columns]
        head = "".join(
            f'<th{kind} scope="col"><button type="button">{escape(column_label(name))}</button></th>'
            for name, kind in zip(table.columns, kinds, strict=True)
        )
        body = "".join(
            f"<tr>{''.join(_cell(value, kind) for value, kind in zip(row, kinds, strict=True))}</tr>"
            for row in table.rows
        )
        table_html = f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        self._parts.append(f'<div class="scroll" tabindex="0">{table_html}</div>')

    def panels(self, panels: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
        """Add charts side by side, each with a title, a line of text and its specification."""
        found = []
        for title, text, spec in panels:
            key = f"chart-{len(self.charts)}"
            self.charts[key] = {"label": title, **spec}
            note = f"<p>{escape(text)}</p>" if text else ""
            found.append(
                f'<section class="panel"><h3>{escape(title)}</h3>{note}<div data-chart="{key}"></div></section>'
            )
        self._parts.append(f'<div class="panels">{"".join(found)}</div>')

    def drawing(self, svg: str) -> None:
        """Add a finished SVG element, which scrolls where it is wider than the page."""
        self._parts.append(f'<div class="scroll" tabindex="0">{svg}</div>')

    def html(self) -> str:
        """Return the page."""
        links = "".join(f'<a href="#section-{i}">{escape(text)}</a>' for i, text in enumerate(self._headings, 1))
        made = f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()[:12]}"
        css, script = (resources.files(__package__).joinpath(f"dashboard.{kind}").read_text() for kind in ("css", "js"))
        # `<` cannot end the element, whatever a name in the data is.
        data = json.dumps(self.charts, allow_nan=False).replace("<", "\\u003c")
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{STYLE}{css}</style></head><body><main>\n"
            f"<header><h1>{escape(self.title)}</h1><p>{escape(made)}</p></header><nav>{links}</nav>\n"
            "<noscript><p>The charts need JavaScript; the tables do not.</p></noscript>\n"
            + "\n".join(self._parts)
            + f'\n</main><script type="application/json" id="data">{data}</script>\n<script>{script}</script>'
            "</body></html>\n"
        )


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Value, kind: str) -> str:
    if isinstance(value, bool):
        word = "yes" if value else "no"
        return f'<td class="{word}" data-value="{word}">{word}</td>'
    if value is None:
        return f'<td{kind} data-value="">–</td>'
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f'<td{kind} data-value="{escape(str(value))}">{escape(shown)}</td>'


def build(entries: Sequence[RunEntry], title: str, problems: Sequence[str] = ()) -> Page:
    """Compose the dashboard of some runs.

    Args:
        entries: the runs, as from `collect`.
        title: of the page.
        problems: lines about files that could not be read.
    """
    page = Page(title)
    groups = evaluation_groups(entries)
    page.heading("Runs")
    page.table(runs_table(entries))
    _training(page, entries)
    for group in groups:
        _accuracy(page, group)
    if (detections := detection_rows(entries)).rows:
        page.heading("Face detectors")
        page.table(detections)
    _deployment(page, entries, groups[0] if groups else None)
    graph = lineage_graph(job for entry in entries for job in entry.jobs)
    if graph.jobs:
        page.heading("Lineage")
        page.text(
            "Filled boxes are jobs, outlined ones the data sets, models and results between them; point at one for its "
            "command or hash."
        )
        page.drawing(lineage_svg(graph))
    if problems:
        page.heading("Not shown")
        for line in problems:
            page.text(line)
    return page


def _training(page: Page, entries: Sequence[RunEntry]) -> None:
    values = training_series(entries)
    if not values:
        return
    page.heading("Training")
    steps = {"label": "step", "name": "step"}
    panels = []
    spec: dict[str, Any]
    for name, label, log in (("val/nme", "NME", True), ("val/ap", "AP", False)):
        if name in values:
            y = {"label": f"validation {label}, %", "log": log}
            spec = {"kind": "line", "series": values[name], "x": steps, "y": y}
            panels.append((f"Validation {label}", "", spec))
    rest = {name: series for name, series in values.items() if name not in ("val/nme", "val/ap")}
    if rest:
        spec = {"kind": "choose", "values": rest, "x": steps, "y": {"log": True}}
        spec["chosen"] = "train/loss" if "train/loss" in rest else next(iter(rest))
        panels.append(("Losses by term, gradient norms, validation metrics", "", spec))
    page.panels(panels)


def _accuracy(page: Page, group: Group) -> None:
    first = next(iter(group.values()))[1]
    p = first.protocol
    page.heading(f"Accuracy: {p.format} {p.subset}, {p.boxes} boxes, {p.points} points")
    flip = "with" if p.flip_tta else "without"
    page.text(
        f"{p.n_faces} faces, {p.scheme}, {flip} flip TTA, errors in % of the {first.primary} distance. "
        f"Data {p.data_hash[:12]}. {p.left_out}"
    )
    page.table(accuracy_table(group))
    error = f"NME, % of the {first.primary} distance"
    page.panels(
        [
            (
                "Teacher, student, baseline",
                "NME with its 95 % interval over faces; lower is better",
                {"kind": "intervals", "series": interval_series(group), "x": {"label": error}},
            ),
            (
                "Cumulative error distribution",
                "share of faces at or below each error; higher is better",
                {
                    "kind": "step",
                    "series": ced_series(group),
                    "x": {"label": error, "name": "NME", "fixed": [0, 10]},
                    "y": {"label": "faces, %", "fixed": [0, 100]},
                },
            ),
            (
                "Error of every landmark",
                f"mean over faces; landmarks are numbered as in {p.scheme}",
                {
                    "kind": "line",
                    "series": landmark_series(group),
                    "x": {"label": "landmark", "name": "landmark"},
                    "y": {"label": "mean error, %"},
                },
            ),
        ]
    )


def _deployment(page: Page, entries: Sequence[RunEntry], group: Group | None) -> None:
    parity, latency = parity_rows(entries), latency_rows(entries)
    if parity.rows:
        page.heading("Parity with PyTorch")
        page.table(parity)
    if not latency.rows:
        return
    page.heading("Latency")
    page.table(latency)
    points = pareto_points(entries, group)
    if points:
        front = sorted([point["x"], point["y"]] for point in points if point["front"])
        series = [
            {"name": point["name"], "points": [[point["x"], point["y"]]], "note": f"{point['bytes'] / 1e3:.0f} kB"}
            for point in points
        ]
        x, y = {"label": "median ms for one image", "unit": "ms"}, {"label": "NME, %", "unit": "% NME"}
        spec = {"kind": "points", "series": series, "front": front, "x": x, "y": y}
        note = "dashed: no other model here is both faster and better; times of different runs only roughly compare"
        page.panels([("Latency and accuracy", note, spec)])
