"""The `.pts` text format: round trips, conventions and error messages."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.data.readers.pts import parse_pts, parse_pts_blocks, read_pts
from distill.errors import AnnotationError
from tests.support.annotation_writers import format_pts
from tests.support.errors import assert_one_line

_GOOD = "version: 1\nn_points:  2\n{\n1.0 2.0\n3.5 4.25\n}\n"


_points = arrays(
    np.float32,
    st.tuples(st.integers(0, 70), st.just(2)),
    elements=st.floats(-9000, 9000, width=32, allow_nan=False, allow_infinity=False),
)


def test_pts_is_one_based_on_disk() -> None:
    assert parse_pts(_GOOD, "a").tolist() == [[0.0, 1.0], [2.5, 3.25]]
    assert "1.000 1.000" in format_pts(np.zeros((1, 2), np.float32), decimals=3)


@given(_points)
@example(np.zeros((0, 2), np.float32))
def test_pts_round_trip(points: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(parse_pts(format_pts(points), "a"), points, atol=1e-6, rtol=0)


@given(st.lists(st.tuples(_points, st.sampled_from(["", "right one", "left one"])), min_size=1, max_size=4))
def test_several_faces_keep_order_and_labels(faces: list[tuple[np.ndarray[Any, Any], str]]) -> None:
    read = parse_pts_blocks("".join(format_pts(points, label) for points, label in faces), "a")
    assert [face.label for face in read] == [label for _, label in faces]
    for face, (points, _) in zip(read, faces, strict=True):
        np.testing.assert_allclose(face.points, points, atol=1e-6, rtol=0)


@given(st.text())
def test_any_text_raises_nothing_but_annotation_error(text: str) -> None:
    with pytest.raises(AnnotationError):
        parse_pts(text, "a")


@settings(max_examples=300)
@given(st.data())
def test_mutated_text_raises_nothing_but_annotation_error(data: st.DataObject) -> None:
    text = list(_GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.characters())
    with suppress(AnnotationError):
        assert np.isfinite(parse_pts("".join(text), "a")).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends where"),
        ("<html>404</html>", "web page"),
        (_GOOD.replace("2.0", "nan"), "finite"),
        (_GOOD.replace("2.0", "1e30"), "finite"),
        (_GOOD.replace("2.0", "2.0 7"), "point 1 of 2"),
        (_GOOD.replace("n_points:  2", "n_points: 3"), "point 3 of 3"),
        (_GOOD.replace("n_points:  2", "n_points: 1"), "'}'"),
        (_GOOD.replace("n_points:  2", "n_points: -1"), "n_points"),
        (_GOOD.replace("{", ""), "'{'"),
        (_GOOD[:-3], "cut short"),
        (_GOOD + "rubbish", "end of the file"),
        (_GOOD.replace("version: 1", "version: 2"), "version: 1"),
        (_GOOD + _GOOD, "2 faces"),
    ],
)
def test_broken_pts_names_file_and_cause(text: str, message: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        parse_pts(text, "face.pts")
    assert_one_line(caught, "face.pts", message)


def test_binary_missing_and_oversized_pts(tmp_path: Path) -> None:
    path = tmp_path / "a.pts"
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_pts(path)
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(AnnotationError, match="binary"):
        read_pts(path)
    path.write_bytes(b" " * 2_000_000)
    with pytest.raises(AnnotationError, match="too many"):
        read_pts(path)
