"""Damaged text of several formats."""

import importlib.util
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data.readers import read_faces
from distill.data.readers.face_synthetics import parse_ldmks
from distill.data.readers.muct import parse_muct
from distill.data.readers.webmorph import parse_tem
from distill.data.readers.wider import parse_label
from distill.errors import AnnotationError
from tests.support.reader_cases import write_photo

_xml = pytest.mark.skipif(not importlib.util.find_spec("defusedxml"), reason="defusedxml is not installed")


_SOURCE = Path("a")


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_tem, "2\n1 2\n3 x\n0\n", "not a number"),
        (parse_tem, "2\n1 2\n3 4\n1\n0\n2\n0 2\n", "from 0 to 1"),
        (parse_tem, "2\n1 2\n3 4\n0\n1\n2\n", "end of the file"),
        (parse_tem, "2\n1 2\n", "cut short"),
        (parse_tem, "<html>", "web page"),
        (parse_ldmks, "1 2 3\n", "line 1"),
        (parse_ldmks, "1 inf\n", "finite"),
        (parse_ldmks, "\n", "no points"),
        (parse_label, "1 2 3 4\n", "before any"),
        (parse_label, "# a.jpg\n1 2 3\n", "3 numbers"),
        (parse_label, "# a.jpg\n1 2 3 4 " + "5 6 2 " * 5 + "0.5", "flag"),
        (parse_muct, "name,x\n", "first line"),
    ],
)
def test_broken_text_names_file_and_cause(parse: Callable[..., Any], text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        list(parse(text, Path("face.txt")))
    assert "face.txt" in str(caught.value)


@given(st.text())
def test_any_text_raises_nothing_but_annotation_error(text: str) -> None:
    for parse in (parse_tem, parse_ldmks, parse_label, parse_muct):
        with suppress(AnnotationError):
            list(parse(text, _SOURCE))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("format", "file", "text", "message"),
    [
        ("wider", "train/label.txt", "# a b.jpg\n1 2 0 0\n", "no face with a box"),
        pytest.param("dlib", "train.xml", "<a><image file='a b.jpg'/></a>", "no <box>", marks=_xml),
        pytest.param(
            "dlib",
            "train.xml",
            "<a><image file='a b.jpg'><box left='1' top='1' width='5' height='5' ignore='1'/></image></a>",
            "no <box>",
            marks=_xml,
        ),
    ],
)
def test_lists_without_a_single_face_are_refused(root: Path, format: str, file: str, text: str, message: str) -> None:
    """Fuzzing found that they came back as an empty list, which no caller expects."""
    write_photo(root / "train" / "images" / "a b.jpg")
    write_photo(root / "a b.jpg")
    (root / file).write_text(text)
    with pytest.raises(AnnotationError, match=message) as caught:
        read_faces(format, root)
    assert Path(file).name in str(caught.value)
