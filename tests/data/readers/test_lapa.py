"""LaPa and JD-landmark: round trips, conventions and error messages."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.data.readers import read_faces
from distill.data.readers.lapa import parse_lapa
from distill.data.readers.wflw import parse_wflw
from distill.errors import AnnotationError
from tests.support.annotation_writers import format_lapa
from tests.support.reader_cases import (
    make_lapa,
    random_points,
    write_photo,
)

_points = arrays(
    np.float32,
    st.tuples(st.integers(0, 110), st.just(2)),
    elements=st.floats(-9000, 9000, width=32, allow_nan=False, allow_infinity=False),
)


@given(_points)
def test_lapa_round_trip(points: np.ndarray) -> None:
    np.testing.assert_array_equal(parse_lapa(format_lapa(points), "a"), points)


@given(st.text())
def test_any_text_is_no_lapa_file(text: str) -> None:
    with suppress(AnnotationError):
        assert len(parse_lapa(text, "a")) == int(text.split()[0])


@settings(max_examples=300)
@given(st.one_of(st.text(), st.from_regex(r"[0-9]{1,3}\n(-?[0-9.e]{1,6} [0-9nai.]{1,5}\n){0,4}")))
def test_hundreds_of_texts(text: str) -> None:
    for parse in (lambda: parse_lapa(text, "a"), lambda: parse_wflw(text, Path("a"))):
        with suppress(AnnotationError):
            parse()


def test_lapa_subsets_and_groups(root: Path) -> None:
    make_lapa(root)
    assert [record.name for record in read_faces("lapa", root)] == ["test/11_0", "train/10_0", "train/10_1"]
    first, second = read_faces("lapa", root, ["train"])
    assert first.group == second.group == "10"
    assert first.scheme == "lapa106"
    np.testing.assert_array_equal(first.landmarks, random_points(106, 0))


def test_jd_is_told_by_its_folders_and_becomes_lapa(root: Path) -> None:
    path = root / "AFW" / "landmark" / "x.jpg.txt"
    path.parent.mkdir(parents=True)
    path.write_text(format_lapa(random_points(106)))
    write_photo(root / "AFW" / "picture" / "x.jpg")
    (face,) = read_faces("lapa", root, ["AFW"])
    (same,) = read_faces("lapa", root, scheme="lapa106")
    assert (face.scheme, same.scheme) == ("jd106", "lapa106")
    assert not np.array_equal(face.landmarks, same.landmarks)
    np.testing.assert_array_equal(np.sort(face.landmarks, 0), np.sort(same.landmarks, 0))
