"""The page stands alone and shows text as text."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from distill.report.page import Fixed, Interval, Report, Statement, Verdict
from distill.report.plots import ced_plot
from distill.report.style import STYLE
from distill.report.wandb import numeric
from tests.support.evaluation import Measure


class _Tags(HTMLParser):
    """Checks that every tag that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_stands_alone(measure: Measure, tmp_path: Path) -> None:
    good, poor = measure(shift=(0.5, 0)), measure(shift=(2, 0))
    report = Report("Demo", "two models").heading("Numbers").cards({"NME %": 3.5, "op check": Verdict("pass", True)})
    report.evaluations({"student": good, "baseline": poor}).heading("Ops").table(["op", "ok"], [["CONV_2D", None]])
    page = report.write(tmp_path / "report.html").read_text()
    assert "http" not in page
    assert not re.search(r"<(script|link|iframe)|@import|url\(", page)
    assert set(re.findall(r'src="(.{10})', page)) == {"data:image"}
    parser = _Tags()
    parser.feed(page)
    assert parser.open == []
    assert {"table", "img", "nav"} <= parser.tags
    assert "prefers-color-scheme: dark" in page
    assert "+3.75 (+3.75 to +3.75)" in page


def test_pictures_come_out_as_they_went_in(measure: Measure) -> None:
    png = ced_plot({"x": measure()})
    page = Report("x").figure(png, "curve").html()
    found = re.search(r"base64,([^\"]+)", page)
    assert found is not None
    assert base64.b64decode(found[1]) == png


def test_text_is_never_markup() -> None:
    evil = '<script>alert("x")</script>&'
    report = (
        Report(evil, evil)
        .verdict([Statement(evil, evil, evil, evil)])
        .heading(evil)
        .text(evil)
        .cards({evil: evil})
        .table([evil], [[evil]])
    )
    page = report.figure(b"png", evil).table([evil], [[Verdict(evil, False)]]).html()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;") == 18


def test_numbers_stand_right_and_words_left() -> None:
    page = Report("x").table(["name", "NME %", "share"], [["a", 3.14159, "12.5 %"], ["b2", 2, None]]).html()
    assert '<td>a</td><td class="number">3.142</td><td class="number">12.5 %</td>' in page
    assert '<td>b2</td><td class="number">2</td><td class="number">–</td>' in page


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells under 1 headers"):
        Report("x").table(["a"], [[1, 2]])


def test_a_verdict_comes_before_the_contents() -> None:
    statements = [
        Statement("Is it good?", "yes", "It is."),
        Statement("Does it run?", "missing", "", "distill export a"),
    ]
    page = Report("x").verdict(statements).heading("Numbers").html()
    assert page.index("Is it good?") < page.index("<nav>")
    assert '<span class="good">✓ yes</span>' in page
    assert "<code>distill export a</code>" in page


def test_a_long_command_of_a_verdict_scrolls_and_does_not_widen_the_page() -> None:
    """A grid column is as wide as its longest word unless its minimum is 0: phones showed half of each card."""
    (rule,) = re.findall(r"\.verdict \{([^}]*)\}", STYLE)
    assert "display: grid" in rule
    assert "grid-template-columns: minmax(0, 1fr)" in rule
    assert "overflow-x: auto" in re.findall(r"\bcode \{([^}]*)\}", STYLE)[0]


def test_badges_are_told_apart_without_colours() -> None:
    page = Report("x").table(["a"], [[Verdict("pass", True)], [Verdict("fail", False)]]).html()
    assert "✓ pass" in page
    assert "✗ fail" in page


def test_trackers_receive_numbers() -> None:
    """A cell shown as text is a number in a table of a tracker, an interval two or three columns."""
    headers = ("model", "NME %", "95 %", "change", "gate", "text")
    rows = [
        ["a", Fixed(2.5), Interval(2.4, 2.6), None, Verdict("pass", True), "x"],
        ["b", Fixed(3.0), Interval(2.9, 3.1), Interval(0.4, 0.6, 0.5, signed=True), Verdict("fail", False), "y"],
    ]
    table = numeric(headers, rows)
    assert table.columns == (
        "model", "NME %", "95 %, low", "95 %, high", "change", "gate", "text", "change, low", "change, high",
    )  # fmt: skip
    assert table.rows == (
        ("a", 2.5, 2.4, 2.6, None, True, "x", None, None),
        ("b", 3.0, 2.9, 3.1, 0.5, False, "y", 0.4, 0.6),
    )
    assert {type(value) for row in table.rows for value in row} == {str, float, bool, type(None)}
    page = Report("x").table(headers, rows).html()
    assert "<td>+0.50 (+0.40 to +0.60)</td>" in page
    assert '<td class="number">2.50</td>' in page
