"""Tables of text."""

from pathlib import Path

import pytest

from distill.data.readers.tables import photo_within, photos_by_stem, read_csv_rows, to_number
from distill.errors import AnnotationError


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,"x\ny"\n')
    assert [row for _, row in read_csv_rows(path, ["a", "b"])] == [{"a": "1", "b": "x\ny"}]
    for text, message in (("a\n1\n", "no column 'b'"), ("a,b\n1\n", "not 2 cells"), ("a,b\n1,2,3\n", "not 2 cells")):
        path.write_text(text)
        with pytest.raises(AnnotationError, match=message):
            list(read_csv_rows(path, ["a", "b"]))
    for text in ("", "x", "nan", "-inf", "1e999"):
        with pytest.raises(AnnotationError, match="width"):
            to_number(text, "width", path)
    for name in ("../a.csv", "/etc/hostname", "a\0b", "", "x" * 5000, "nothere.jpg"):
        with pytest.raises(AnnotationError):
            photo_within(tmp_path / "faces", name, path)


def test_two_photos_of_one_stem_are_refused_where_one_is_needed(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.jpg"):
        (tmp_path / name).touch()
    photos = photos_by_stem(tmp_path)
    assert photos["b"] == tmp_path / "b.jpg"
    assert photos.get("c") is None
    for read in (photos.get, photos.__getitem__):
        with pytest.raises(AnnotationError, match=r"a\.jpg: a\.png has the same name"):
            read("a")
