"""Tables that scripts write have their place: a study must not fail after hours for want of a mark."""

import re
from pathlib import Path

import pytest

from scripts.studies import ablations
from scripts.studies.common.marked_blocks import replace_between

ROOT = Path(__file__).parents[2]
CALL = re.compile(r'replace_between\(Path\("([^"]+)"\), "([^"]+)"')


def test_every_document_has_the_marks_of_its_script() -> None:
    calls = [call for path in (ROOT / "scripts/studies").glob("*.py") for call in CALL.findall(path.read_text())]
    assert len(calls) >= 5
    calls += [("docs/papers.md", paper) for paper in ablations.PAPERS]
    for document, name in calls:
        text = (ROOT / document).read_text()
        assert f"<!-- {name}:begin -->" in text, (document, name)
        assert f"<!-- {name}:end -->" in text, (document, name)


def test_what_stands_around_the_marks_stays(tmp_path: Path) -> None:
    document = tmp_path / "x.md"
    document.write_text("before\n<!-- a:begin -->\nold\n<!-- a:end -->\nafter\n")
    replace_between(document, "a", "new")
    assert document.read_text() == "before\n<!-- a:begin -->\nnew\n<!-- a:end -->\nafter\n"
    with pytest.raises(SystemExit, match="no <!-- b:begin -->"):
        replace_between(document, "b", "new")
