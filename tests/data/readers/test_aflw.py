"""AFLW (SQLite): round trips, conventions and error messages."""

from pathlib import Path

import numpy as np
import pytest

from distill.data.readers import read_faces
from distill.data.readers.aflw import parse_aflw
from distill.geometry import box_of_points
from tests.support.annotation_writers import write_aflw
from tests.support.reader_cases import (
    aflw_faces,
    make_aflw,
)


def test_aflw_round_trip(tmp_path: Path) -> None:
    write_aflw(tmp_path / "a.sqlite", aflw_faces())
    wanted = sorted(aflw_faces(), key=lambda face: (face.path, face.face_id))
    for face, again in zip(wanted, parse_aflw(tmp_path / "a.sqlite"), strict=True):
        np.testing.assert_array_equal(face.points, again.points)
        assert (face.face_id, face.path, face.size, face.box) == (again.face_id, again.path, again.size, again.box)
        assert face.angles == pytest.approx(again.angles)


def test_aflw_features_without_a_row_are_unknown(root: Path) -> None:
    make_aflw(root)
    first, half, other = read_faces("aflw", root)
    assert first.group == half.group != other.group
    assert first.attributes == pytest.approx({"roll": 1.25, "pitch": -3.5, "yaw": 40.0})
    assert half.known.tolist() == [index % 2 == 1 for index in range(21)]
    assert np.isfinite(half.landmarks).all()
    assert half.boxes["gt"] == box_of_points(half.landmarks[1::2])
    assert [record.name for record in read_faces("aflw", root, ["3"])] == ["8"]
    (nineteen,) = [face for face in read_faces("aflw", root, scheme="aflw19") if face.name == "9"]
    assert nineteen.known.sum() == half.known[[*range(12), 13, 14, 15, 17, 18, 19, 20]].sum()
