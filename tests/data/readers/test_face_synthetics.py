"""FaceSynthetics: round trips, conventions and error messages."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.data.readers.face_synthetics import parse_ldmks
from tests.support.annotation_writers import format_ldmks


@given(arrays(np.float32, st.tuples(st.integers(1, 200), st.just(2)), elements=st.floats(-9000, 9000, width=32)))
def test_ldmks_round_trip(points: np.ndarray[Any, Any]) -> None:
    assert np.array_equal(parse_ldmks(format_ldmks(points), "a"), points)
