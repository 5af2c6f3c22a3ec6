"""dlib XML: round trips, conventions and error messages."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.data.readers import read_faces
from distill.data.readers.dlib_xml import XmlFace, XmlImage, parse_dlib_xml
from distill.errors import AnnotationError
from distill.geometry import Box, box_of_points
from tests.support.annotation_writers import format_dlib_xml
from tests.support.reader_cases_more import make_dlib

_xml = pytest.mark.skipif(not importlib.util.find_spec("defusedxml"), reason="defusedxml is not installed")


_coordinate = st.floats(-9000, 9000, allow_nan=False)


_SOURCE = Path("a")


@_xml
@settings(max_examples=50)
@given(
    st.dictionaries(st.integers(0, 99), st.tuples(_coordinate, _coordinate), max_size=6),
    st.text("a&<'\"é /", min_size=1),
)
def test_xml_round_trip(parts: dict[int, tuple[float, float]], file: str) -> None:
    images = [XmlImage(file, (XmlFace((0.1, 2.0, 3.0, 4.5), parts),))]
    assert parse_dlib_xml(format_dlib_xml(images), _SOURCE) == images


@_xml
def test_dlib_boxes_cover_whole_pixels_and_missing_parts_are_unknown(root: Path) -> None:
    make_dlib(root)
    full, half, bare = read_faces("dlib", root)
    assert full.boxes == {"dataset": Box(4.5, 6.0, 74.5, 66.0), "gt": box_of_points(full.landmarks)}
    assert (full.known.all(), int(half.known.sum()), half.known[5]) == (True, 67, False)
    assert (bare.labels, set(bare.boxes)) == ("none", {"dataset"})
    assert full.group == half.group != bare.group


@_xml
def test_dlib_lists_of_boxes_are_passed_over_beside_lists_of_points(root: Path) -> None:
    path = make_dlib(root)
    bare = [XmlImage("c.jpg", (XmlFace((5, 6, 70, 60), {}),))]
    (root / "boxes.xml").write_bytes(format_dlib_xml(bare))
    assert {record.subset for record in read_faces("dlib", root)} == {"train"}
    assert len(read_faces("dlib", root, ["boxes"])) == 1
    path.unlink()
    assert len(read_faces("dlib", root)) == 1


@_xml
@pytest.mark.parametrize(
    "attack",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><dataset><images><image file="&b;"/></images></dataset>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><dataset/>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    ],
)
def test_xml_with_entities_is_refused(attack: str) -> None:
    with pytest.raises(AnnotationError, match="document type or entities"):
        parse_dlib_xml(attack.encode(), _SOURCE)


@_xml
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_as_xml_raise_nothing_but_annotation_error(data: bytes) -> None:
    with pytest.raises(AnnotationError):
        parse_dlib_xml(data, _SOURCE)
