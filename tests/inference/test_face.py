"""The box of a tilted face, as files and pictures show it."""

import numpy as np
import pytest

from distill.geometry import Box
from distill.inference.face import Face
from distill.inference.predictions import describe

FACE = Face(Box(10, 20, 50, 100), np.zeros((2, 2), np.float32), 0.9)


@pytest.mark.parametrize(
    ("roll", "expected"),
    [(0, (10, 20, 50, 100)), (90, (-10, 40, 70, 80)), (-90, (-10, 40, 70, 80)), (45, (-12.43, 17.57, 72.43, 102.43))],
)
def test_bounds_hold_the_turned_box(roll: float, expected: tuple[float, ...]) -> None:
    face = FACE._replace(crop_roll=roll)
    assert face.bounds == pytest.approx(expected, abs=0.01)
    assert describe([face])[0]["box"] == pytest.approx(expected, abs=0.01)
