"""One HTML file that shows a run: no script, no download, every picture inside."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from distill.evaluate.result import Evaluation, paired_bootstrap
from distill.files import write_text
from distill.report.plots import ced_plot, group_bars

_STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1b1f27; --soft: #667085; --line: #e3e6eb;
  --accent: #0072b2; --good: #0a7d4f; --good-back: #dcf5e9; --bad: #b42318; --bad-back: #fde7e4; }
@media (prefers-color-scheme: dark) { :root { --page: #13161b; --card: #1c2027; --ink: #e7eaf0; --soft: #98a2b3;
  --line: #30353f; --accent: #58b4e8; --good: #65d6a5; --good-back: #12392a; --bad: #ff9a8d; --bad-back: #4a1d18; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
header h1 { margin: 0; font-size: 2rem; line-height: 1.2; letter-spacing: -0.02em; }
header p { margin: .4rem 0 0; color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .4rem 1.1rem; margin: 1.2rem 0 0; padding-bottom: 1rem;
  border-bottom: 1px solid var(--line); font-size: .9rem; }
nav a { color: var(--accent); text-decoration: none; }
h2 { margin: 2.6rem 0 .8rem; font-size: 1.3rem; letter-spacing: -0.01em; }
p { margin: .6rem 0; max-width: 75ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(165px, 1fr)); gap: .8rem; margin: 1rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.45rem; line-height: 1.25; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
.card span { color: var(--soft); font-size: .82rem; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .9rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; font-size: .82rem; }
.number { text-align: right; }
.good, .bad { border-radius: 99px; padding: .1rem .6rem; font-weight: 600; }
.good { color: var(--good); background: var(--good-back); }
.bad { color: var(--bad); background: var(--bad-back); }
figure { margin: 1rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 12px; padding: .5rem; }
figcaption { color: var(--soft); font-size: .88rem; margin-top: .4rem; }
@media print { body { background: #fff; } nav { display: none; } figure, .card { break-inside: avoid; } }
"""
_NUMBER = re.compile(r"[-+−±<>≤≥×]?\s*[\d.,]+(e[-+]?\d+)?\s*(%|px|ms|s|MB|kB|KB|M|k|×|x)?")


@dataclass(frozen=True)
class Verdict:
    """A cell or card shown as a green (`good`) or red badge."""

    text: str
    good: bool

    def __str__(self) -> str:
        return self.text


Cell = str | int | float | Verdict | None


def _cell(value: Cell) -> str:
    """A value as HTML; None is a dash, a float has four digits that count."""
    if isinstance(value, Verdict):
        return f'<span class="{"good" if value.good else "bad"}">{escape(value.text)}</span>'
    if value is None:
        return "–"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))


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
        self._headings: list[str] = []
        self.figures: dict[str, bytes] = {}
        self.tables: list[tuple[Sequence[str], Sequence[Sequence[Cell]]]] = []

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
        self._parts.append(f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>')
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
        headers = (
            "model",
            "NME %",
            "95 %",
            "FR@8 %",
            "FR@10 %",
            "AUC@8 %",
            "AUC@10 %",
            "5 px %",
            "change of NME",
            "runs in",
        )
        self.table(headers, [_row(name, evaluation, first) for name, evaluation in evaluations.items()])
        if pictures is not None:
            self.figure(pictures, "Predictions green, truth red")
        self.figure(curves, "Cumulative error: the share of faces at or below each error; higher is better")
        return self.figure(group_bars(evaluations), "Mean error by part of the face; lower is better")

    def html(self) -> str:
        """Return the page."""
        links = "".join(f'<a href="#section-{i}">{escape(text)}</a>' for i, text in enumerate(self._headings, 1))
        subtitle = f"<p>{escape(self.subtitle)}</p>" if self.subtitle else ""
        nav = f"<nav>{links}</nav>" if links else ""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head><body><main>\n"
            f"<header><h1>{escape(self.title)}</h1>{subtitle}</header>{nav}\n"
            + "\n".join(self._parts)
            + "\n</main></body></html>\n"
        )

    def write(self, path: str | Path) -> Path:
        """Write the page atomically and return its path."""
        write_text(path, self.html())
        return Path(path)


def _row(name: str, evaluation: Evaluation, first: Evaluation) -> list[Cell]:
    values, (low, high) = evaluation.summary(), evaluation.interval()
    change = "–"
    if evaluation is not first:
        difference = paired_bootstrap(evaluation, first)
        change = f"{100 * difference.mean:+.3f} ({100 * difference.low:+.3f} to {100 * difference.high:+.3f})"
    shares = [f"{100 * values[key]:.2f}" for key in ("fr8", "fr10", "auc8", "auc10")]
    interval, within = f"{100 * low:.3f} to {100 * high:.3f}", f"{100 * evaluation.accuracy_5px():.2f}"
    return [name, f"{100 * values['nme']:.3f}", interval, *shares, within, change, evaluation.protocol.runtime]
