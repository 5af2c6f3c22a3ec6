"""The table of public sets is well-formed, and an incomplete copy is reported."""

from dataclasses import replace
from pathlib import Path

import pytest

from distill.data.dataset_catalog import CatalogEntry, Files, describe, load_catalog, verify
from distill.data.readers import FORMATS
from distill.errors import AnnotationError
from distill.files import sha256
from distill.landmarks import list_schemes

_SET = CatalogEntry("x", "t", "https://example.org", "none", "csv", "ibug68", "3", (Files("a/*.txt", 2, lines=3),))


def test_every_entry_names_a_reader_a_scheme_an_address_and_terms() -> None:
    sources = load_catalog()
    assert len(sources) >= 12
    for source in sources.values():
        assert source.format in FORMATS
        assert set(source.scheme.split(", ")) <= set(list_schemes())
        assert source.url.startswith("http")
        assert source.terms
        assert source.terms in describe(source)


def test_a_whole_copy_passes_and_a_part_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("1.txt", "2.txt"):
        (tmp_path / "a" / name).write_text("x\ny\nz")
    assert list(verify(_SET, tmp_path)) == []
    (tmp_path / "a" / "2.txt").write_text("x\n")
    assert [(f.severity, f.file, f.what) for f in verify(_SET, tmp_path)] == [
        ("warning", "a/2.txt", "1 lines where the published file has 3")
    ]
    (tmp_path / "a" / "2.txt").unlink()
    assert "1 files where the published set has 2" in next(verify(_SET, tmp_path)).what
    (tmp_path / "a" / "1.txt").unlink()
    (missing,) = verify(_SET, tmp_path)
    assert missing.severity == "error"
    assert list(verify(replace(_SET, files=(replace(_SET.files[0], optional=True),)), tmp_path)) == []


def test_other_bytes_are_told(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("one")
    files = Files("list.txt", 1, sha256=sha256(tmp_path / "list.txt"))
    assert list(verify(replace(_SET, files=(files,)), tmp_path)) == []
    (tmp_path / "list.txt").write_text("two")
    assert [f.what for f in verify(replace(_SET, files=(files,)), tmp_path)] == ["not the published bytes"]


def test_no_folder_and_nothing_known(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no such folder"):
        list(verify(_SET, tmp_path / "x"))
    with pytest.raises(AnnotationError, match="no count"):
        list(verify(replace(_SET, files=()), tmp_path))
