"""One HTML file that shows a run: no script, no download, every picture inside."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from distill.evaluate.result import Evaluation, paired_bootstrap
from distill.files import write_text
from distill.provenance import commit
from distill.report.plots import ced_plot, group_bars
from distill.report.style import STYLE

_NUMBER = re.compile(r"[-+−±<>≤≥×]?\s*[\d.,]+(e[-+]?\d+)?\s*(%|px|ms|s|MB|kB|KB|M|k|×|x)?")


@dataclass(frozen=True)
class Verdict:
    """A cell or card shown as a blue badge with a tick (`good`) or an orange one with a cross."""

    text: str
    good: bool

    def __str__(self) -> str:
        return self.text


class Fixed(float):
    """A number shown with two decimals; elsewhere it is the number."""

    def __str__(self) -> str:
        return f"{self:.2f}"


@dataclass(frozen=True)
class Interval:
    """A cell with a mean and its interval, or the interval alone.

    Attributes:
        low: lower end.
        high: upper end.
        mean: of a value, None where it stands in a column of its own.
        signed: show signs, as of a difference.
    """

    low: float
    high: float
    mean: float | None = None
    signed: bool = False

    def __str__(self) -> str:
        form = "+.2f" if self.signed else ".2f"
        ends = f"{self.low:{form}} to {self.high:{form}}"
        return ends if self.mean is None else f"{self.mean:{form}} ({ends})"


@dataclass(frozen=True)
class Statement:
    """Answer to one question.

    Attributes:
        question: what is answered.
        answer: `yes`, `no`, `unclear`, or `missing` where nothing was measured.
        text: the answer in words, with its numbers.
        command: what to type next, where something is missing.
    """

    question: str
    answer: str
    text: str
    command: str | None = None

    def html(self) -> str:
        kind, sign = {"yes": ("good", "✓ "), "no": ("bad", "✗ ")}.get(self.answer, ("open", ""))
        badge = f'<span class="{kind}">{sign}{escape(self.answer)}</span>'
        command = f"<code>{escape(self.command)}</code>" if self.command else ""
        return f"<li><b>{escape(self.question)}</b>{badge}<p>{escape(self.text)}</p>{command}</li>"


Cell = str | int | float | Verdict | Interval | None


def _cell(value: Cell) -> str:
    """A value as HTML; None is a dash, a float has four digits that count."""
    if isinstance(value, Verdict):
        return (
            f'<span class="{"good" if value.good else "bad"}">{"✓" if value.good else "✗"} {escape(value.text)}</span>'
        )
    if value is None:
        return "–"
    return escape(f"{value:.4g}" if isinstance(value, float) and not isinstance(value, Fixed) else str(value))


def _is_number(value: Cell) -> bool:
    return value is None or (not isinstance(value, Verdict) and _NUMBER.fullmatch(str(value)) is not None)


class Report:
    """Collects parts in order and writes them as one page. All text is escaped; nothing is loaded from elsewhere.

    Pictures of people are shown only when handed in with `figure`: nothing here takes them from a data set.

    Attributes:
        figures: PNG by caption, in order.
        tables: (headers, rows), in order.
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title, self.subtitle = title, subtitle
        self._parts: list[str] = []
        self._opens_with_verdict = False
        self._headings: list[str] = []
        self.figures: dict[str, bytes] = {}
        self.tables: list[tuple[Sequence[str], Sequence[Sequence[Cell]]]] = []

    def verdict(self, statements: Sequence[Statement]) -> "Report":
        """Add answers to questions, each with what to type next where something is missing."""
        if statements:
            self._opens_with_verdict = not self._parts
            self._parts.append(f'<ul class="verdict">{"".join(statement.html() for statement in statements)}</ul>')
        return self

    def heading(self, text: str) -> "Report":
        """Start a section; it appears in the list of contents."""
        self._headings.append(text)
        self._parts.append(f'<h2 id="section-{len(self._headings)}">{escape(text)}</h2>')
        return self

    def text(self, text: str) -> "Report":
        """Add a paragraph for each part of `text` between empty lines."""
        self._parts += [f"<p>{escape(paragraph.strip())}</p>" for paragraph in text.split("\n\n") if paragraph.strip()]
        return self

    def cards(self, values: Mapping[str, Cell]) -> "Report":
        """Add one card for each label and value."""
        cards = (f'<div class="card"><b>{_cell(v)}</b><span>{escape(k)}</span></div>' for k, v in values.items())
        self._parts.append(f'<div class="cards">{"".join(cards)}</div>')
        return self

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> "Report":
        """Add a table; columns of numbers are right-aligned.

        Raises:
            ValueError: a row with more or fewer cells than there are headers.
        """
        for row in rows:
            if len(row) != len(headers):
                raise ValueError(f"row {list(row)} has {len(row)} cells under {len(headers)} headers")
        self.tables.append((headers, rows))
        columns = list(zip(*rows, strict=True)) or [()] * len(headers)
        kinds = [' class="number"' if column and all(map(_is_number, column)) else "" for column in columns]
        head = "".join(f"<th{kind}>{escape(text)}</th>" for text, kind in zip(headers, kinds, strict=True))
        lines = (
            "".join(f"<td{kind}>{_cell(value)}</td>" for value, kind in zip(row, kinds, strict=True)) for row in rows
        )
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        self._parts.append(f'<div class="scroll" tabindex="0"><table><tr>{head}</tr>{body}</table></div>')
        return self

    def figure(self, png: bytes, caption: str) -> "Report":
        """Add a picture, stored inside the page."""
        self.figures[caption] = png
        data, text = base64.b64encode(png).decode(), escape(caption)
        image = f'<img src="data:image/png;base64,{data}" alt="{text}">'
        self._parts.append(f"<figure>{image}<figcaption>{text}</figcaption></figure>")
        return self

    def evaluations(self, evaluations: Mapping[str, Evaluation], pictures: bytes | None = None) -> "Report":
        """Add table, CED and errors by part of the face for evaluations that may be compared.

        Args:
            evaluations: by the name to show; the first is what the others are compared with.
            pictures: a contact sheet to show too; only of faces that may be shown.

        Raises:
            ConfigError: evaluations of unlike protocols.
        """
        curves = ced_plot(evaluations)
        first = next(iter(evaluations.values()))
        p, flip = first.protocol, "with" if first.protocol.flip_tta else "without"
        self.text(
            f"{p.n_faces} faces of {p.format} {p.subset}, {p.points} points ({p.scheme}), {p.boxes} boxes, {flip} flip "
            f"TTA, errors in % of the {first.primary} distance. Data {p.data_hash[:12]}. Points: {p.conversion}. "
            f"{p.left_out}"
        )
        shares = ("median %", "FR@8 %", "FR@10 %", "AUC@8 %", "AUC@10 %", "5 px %")
        headers = ("model", "NME %", "95 %", "change of NME, points", *shares, "runs in")
        self.table(headers, [_row(name, evaluation, first) for name, evaluation in evaluations.items()])
        if pictures is not None:
            self.figure(pictures, "Predictions: blue discs; annotation: orange crosses")
        self.figure(curves, "Cumulative error: the share of faces at or below each error; higher is better")
        return self.figure(group_bars(evaluations), "Mean error by part of the face; lower is better")

    def html(self) -> str:
        """Return the page."""
        links = "".join(f'<a href="#section-{i}">{escape(text)}</a>' for i, text in enumerate(self._headings, 1))
        made = f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()[:12]}"
        subtitle = f"<p>{escape(self.subtitle)}</p><p>{escape(made)}</p>"
        nav = f"<nav>{links}</nav>" if links else ""
        top, parts = (self._parts[:1], self._parts[1:]) if self._opens_with_verdict else ([], self._parts)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{STYLE}</style></head><body><main>\n"
            f"<header><h1>{escape(self.title)}</h1>{subtitle}</header>\n"
            + "\n".join([*top, nav, *parts])
            + "\n</main></body></html>\n"
        )

    def write(self, path: str | Path) -> Path:
        """Write the page atomically and return its path."""
        write_text(path, self.html())
        return Path(path)


def _row(name: str, evaluation: Evaluation, first: Evaluation) -> list[Cell]:
    values, (low, high) = evaluation.summary(), evaluation.interval()
    change: Cell = None
    if evaluation is not first:
        difference = paired_bootstrap(evaluation, first)
        change = Interval(100 * difference.low, 100 * difference.high, 100 * difference.mean, signed=True)
    shares = [Fixed(100 * values[key]) for key in ("nme_median", "fr8", "fr10", "auc8", "auc10")]
    interval, within = Interval(100 * low, 100 * high), Fixed(100 * evaluation.accuracy_5px())
    return [name, Fixed(100 * values["nme"]), interval, change, *shares, within, evaluation.protocol.runtime]
