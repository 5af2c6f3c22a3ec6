"""WIDER FACE: round trips, conventions and error messages."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.data.readers import read_faces
from distill.data.readers.wider import WiderFace, parse_label
from distill.geometry import Box
from tests.support.annotation_writers import format_label
from tests.support.reader_cases_more import make_wider

_coordinate = st.floats(-9000, 9000, allow_nan=False)


_SOURCE = Path("a")


def _points(k: int, **options: Any) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    return arrays(np.float64, (k, 2), elements=_coordinate, **options)


@given(_points(5), st.lists(st.sampled_from([-1, 0, 1]), min_size=5, max_size=5), st.floats(0, 1))
def test_wider_round_trip(points: np.ndarray[Any, Any], flags: list[int], sharpness: float) -> None:
    points[np.array(flags) < 0] = np.nan
    face = WiderFace((1.5, 2.0, 30.0, 40.25), points, np.array(flags) == 0, sharpness)
    bare = WiderFace((1.0, 2.0, 3.0, 4.0), np.full((5, 2), np.nan), np.zeros(5, bool), None)
    photos = dict(parse_label(format_label([("a b/c.jpg", [face, bare]), ("empty.jpg", [])]), _SOURCE))
    assert list(photos) == ["a b/c.jpg", "empty.jpg"]
    for read, wanted in zip(photos["a b/c.jpg"], (face, bare), strict=True):
        assert np.array_equal(read.points, wanted.points, equal_nan=True)
        assert read.visible.tolist() == wanted.visible.tolist()
        assert (read.box, read.sharpness) == (wanted.box, wanted.sharpness)


def test_wider_faces_keep_their_boxes_and_flags(root: Path) -> None:
    make_wider(root)
    full, four, none, bare = read_faces("wider", root)
    assert (full.visible.tolist(), full.labels) == ([True, False, True, True, True], "hand")
    assert (four.known.tolist(), none.labels, bare.labels) == ([True] * 4 + [False], "none", "none")
    assert full.boxes == {"gt": Box(9.5, 11.5, 69.5, 67.0)}
    assert full.attributes == {"sharpness": 0.82}
    assert full.group == four.group != none.group
