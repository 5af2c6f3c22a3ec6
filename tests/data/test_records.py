"""What every reader relies on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError
from distill.geometry import Box


def _record(**changes: Any) -> FaceRecord:
    points = np.random.default_rng(0).uniform(10, 50, (68, 2))
    given = {"name": "a", "image": Path("a.jpg"), "landmarks": points, "scheme": "ibug68", "source": Path("a.pts")}
    return make_record(**{**given, **changes})


def test_defaults() -> None:
    record = _record()
    assert record.landmarks.dtype == np.float32
    assert record.visible.all()
    assert record.group == "a"
    assert set(record.boxes) == {"gt"}


def test_conversion_keeps_boxes_and_follows_visibility() -> None:
    hidden = np.ones(68, bool)
    hidden[[0, 36, 30]] = False
    record = _record(visible=hidden, boxes={"dataset": Box(0, 0, 9, 9)})
    inner, five = record.in_scheme("inner51"), record.in_scheme("five")
    assert inner.boxes is record.boxes
    assert inner.visible.sum() == 49
    assert five.visible.tolist() == [False, True, False, True, True]
    assert record.in_scheme("ibug68") is record


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"landmarks": np.zeros((5, 2))}, "5 points"),
        ({"landmarks": np.full((68, 2), np.nan)}, "point 0"),
        ({"visible": np.ones(5, bool)}, "5 visibility flags"),
        ({"boxes": {"dataset": Box(5, 5, 5, 9)}}, "no area"),
        ({"boxes": {"dataset": Box(5, 5, float("inf"), 9)}}, "no area"),
        ({"boxes": {"dataset": Box(-20, 5, -1, 9)}, "size": (64, 64)}, "dataset box"),
        ({"size": (9, 9)}, "lies outside"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        _record(**changes)
    assert "a.pts" in str(caught.value)


def test_a_face_cut_by_the_border_is_kept() -> None:
    assert _record(size=(40, 64)).landmarks[:, 0].max() > 40
