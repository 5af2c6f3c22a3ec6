"""Marked blocks of documents equal their results, and scripts find the blocks they write."""

from pathlib import Path

import pytest

from scripts.studies.common.marked_blocks import documents, marked_blocks, replace_between, update_block
from scripts.studies.documents import BLOCKS, PAPER_BLOCKS, ROOT, block

MARKED = [(path, name) for path in documents() for name in marked_blocks(path)]


@pytest.mark.parametrize(("path", "name"), MARKED, ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_a_marked_block_equals_its_result(path: Path, name: str) -> None:
    assert marked_blocks(path)[name] == block(name), "run python -m scripts.studies.documents"


def test_every_block_of_a_study_is_in_a_document() -> None:
    # A study must not fail after hours because no document has the marks of its table.
    assert {name for _, name in MARKED} == set(BLOCKS) | set(PAPER_BLOCKS)


def test_every_mark_is_part_of_a_block() -> None:
    for path in documents():
        marks = path.read_text().count(":begin -->") + path.read_text().count(":end -->")
        assert marks == 2 * len(marked_blocks(path)), path


def test_text_around_the_marks_is_unchanged(tmp_path: Path) -> None:
    document = tmp_path / "x.md"
    document.write_text("before\n<!-- a:begin -->\nold\n<!-- a:end -->\nafter\n")
    replace_between(document, "a", "new")
    assert document.read_text() == "before\n<!-- a:begin -->\nnew\n<!-- a:end -->\nafter\n"
    with pytest.raises(SystemExit, match="no <!-- b:begin -->"):
        replace_between(document, "b", "new")
    with pytest.raises(SystemExit, match="no document has <!-- b:begin -->"):
        update_block("b", "new", tmp_path)
    update_block("a", "newer", tmp_path)
    assert marked_blocks(document) == {"a": "newer"}
