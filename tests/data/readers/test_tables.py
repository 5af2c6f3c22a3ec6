"""Tables of text."""

import tracemalloc
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


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n", "sep=;\n", ";;;\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_tables_of_spreadsheets(tmp_path: Path, separator: str, start: str, encoding: str) -> None:
    # Catches cells that end up in one column, a byte order mark in the first name, and empty rows read as faces.
    start = start.replace(";", separator)
    rows = ["image, x0 ,note", '"ä.jpg",1.5,"a, b; c"', "", "b.jpg,-2,", ",,", "  "]
    text = start + "\r\n".join(row if '"a,' in row else row.replace(",", separator) for row in rows)
    text = text.replace('"ä.jpg",1.5,', f'"ä.jpg"{separator}1.5{separator}')
    path = tmp_path / "a.csv"
    path.write_text(text, encoding=encoding, newline="")
    found = [row for _, row in read_csv_rows(path, ["image", "x0"])]
    assert found == [
        {"image": "ä.jpg", "x0": "1.5", "note": "a, b; c"},
        {"image": "b.jpg", "x0": "-2", "note": ""},
    ]


def test_decimal_commas_are_numbers_where_commas_separate_no_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("image;x0;y0\na,1.jpg;12,5;-0,25\n")
    ((line, row),) = read_csv_rows(path, ["image", "x0"])
    assert (line, row) == (2, {"image": "a,1.jpg", "x0": "12.5", "y0": "-0.25"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image|x0\na.jpg|1\n", "no column 'image'; the first line must hold image,x0"),
        (b"image;x0\na.jpg;1;2\n", "line 2: 3 cells, not 2 cells as the header"),
        (b"image,x0,x0\na.jpg,1,2\n", "column 'x0' occurs twice"),
        (b"image,x0\n\xe4.jpg,1\n", "not UTF-8 text at byte 9; save it as UTF-8"),
        (b"image,x0\n\xe4\0,1\n", "binary data"),
        (b"\xff\xfei\0m\0", "no column 'image'"),
        (b"", "no column 'image'"),
        (b" \n;;\n", "no column 'image'"),
    ],
)
def test_tables_that_cannot_be_read_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=message) as caught:
        list(read_csv_rows(path, ["image", "x0"]))
    assert "\n" not in str(caught.value)


def test_two_photos_of_one_stem_are_refused_where_one_is_needed(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.jpg"):
        (tmp_path / name).touch()
    photos = photos_by_stem(tmp_path)
    assert photos["b"] == tmp_path / "b.jpg"
    assert photos.get("c") is None
    for read in (photos.get, photos.__getitem__):
        with pytest.raises(AnnotationError, match=r"a\.jpg: a\.png has the same name"):
            read("a")


def test_a_table_is_read_line_by_line(tmp_path: Path) -> None:
    """The text of a CSV of 100,000 faces took 600 MB."""
    path = tmp_path / "faces.csv"
    path.write_text("image,x0\n" + "".join(f"{index}.jpg,{'7' * 90}\n" for index in range(100_000)))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_csv_rows(path, ["image", "x0"])) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 1e6, f"peak, of a file of {path.stat().st_size} bytes"
    finally:
        tracemalloc.stop()


def test_text_that_is_no_utf_8_is_named_by_its_place_in_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_bytes(b"image,x0\n" + b"photo.jpg,7\n" * 5000 + b"na\xefve.jpg,7\n")
    rows = read_csv_rows(path, ["image", "x0"])
    with pytest.raises(AnnotationError, match="not UTF-8 text at byte 60011"):
        list(rows)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(AnnotationError, match="binary data"):
        list(read_csv_rows(path, ["image", "x0"]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_part_of_the_first_column(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "faces.csv"
    path.write_bytes("image;x0\r\nmüller.jpg;7,5\r\n".encode(encoding))
    assert list(read_csv_rows(path, ["image", "x0"])) == [(2, {"image": "müller.jpg", "x0": "7.5"})]
