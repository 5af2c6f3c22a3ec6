"""webmorph: round trips, conventions and error messages."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.data.readers import read_faces
from distill.data.readers.webmorph import Curve, Template, parse_tem
from tests.support.annotation_writers import format_tem
from tests.support.reader_cases import write_photo
from tests.support.reader_cases_more import make_webmorph


@given(
    arrays(np.float32, (9, 2), elements=st.floats(-9000, 9000, width=32)),
    st.lists(
        st.builds(Curve, st.booleans(), st.lists(st.integers(0, 8), min_size=1, max_size=5).map(tuple)), max_size=4
    ),
    st.none() | st.integers(0, 99),
)
def test_tem_round_trip(points: np.ndarray[Any, Any], curves: list[Curve], last: int | None) -> None:
    read = parse_tem(format_tem(Template(points, tuple(curves), last)), "a")
    assert np.array_equal(read.points, points)
    assert (read.curves, read.last) == (tuple(curves), last)


def test_webmorph_photos_without_points_are_no_faces(root: Path) -> None:
    make_webmorph(root)
    write_photo(root / "rainbow" / "x.jpg")
    assert [r.name for r in read_faces("webmorph", root)] == ["zoom/a", "zoom/b"]
