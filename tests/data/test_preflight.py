"""Faces that would break or spoil a training are named before its first step."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.data.preflight import find_unfit, without_unfit
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError
from distill.geometry import Box

SIDE = 96


@pytest.fixture
def face(tmp_path: Path) -> FaceRecord:
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "a.png")
    points = np.random.default_rng(0).uniform(20, 70, (51, 2))
    return make_record(
        name="a", image=tmp_path / "a.png", landmarks=points, scheme="inner51", source=tmp_path / "a.pts"
    )


def _moved(record: FaceRecord, indices: list[int], to: tuple[float, float]) -> FaceRecord:
    points = record.landmarks.copy()
    points[indices] = to
    return replace(record, landmarks=points)


def _pipe(record: FaceRecord) -> FaceRecord:
    return replace(record, image=record.image.with_name("none.png"))


FAULTS: dict[str, tuple[Callable[[FaceRecord], FaceRecord], str]] = {
    "no normaliser": (lambda face: _moved(face, [19, 28], (40, 40)), "its ocular distance is 0"),
    "all points equal": (lambda face: _moved(face, list(range(51)), (40, 40)), "1 of 51 points differ"),
    "far outside": (lambda face: _moved(face, [7], (5000, 40)), "point 7 at .* is outside the 96x96 photo"),
    "small box": (lambda face: replace(face, boxes={"gt": Box(40, 40, 43, 42)}), "its box is 3.0 px, below 8"),
    "no photo": (_pipe, "no such image"),
}


def test_a_sound_face_is_fit(face: FaceRecord) -> None:
    assert find_unfit([face], "inner51", "ocular") == []


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_named_with_its_face(kind: str, face: FaceRecord) -> None:
    damage, reason = FAULTS[kind]
    broken = replace(damage(face), name="broken")
    unfit = find_unfit([face, broken], "inner51", "ocular")
    assert [item.name for item in unfit] == ["broken"]
    with pytest.raises(AnnotationError, match=rf"1 of 2 validation faces are unfit: broken \({reason}"):
        without_unfit([face, broken], unfit, "validation", leave_out=False, notify=print)
    lines: list[str] = []
    assert without_unfit([face, broken], unfit, "validation", leave_out=True, notify=lines.append) == [face]
    assert len(lines) == 1
    assert "broken" in lines[0]
    with pytest.raises(AnnotationError, match="no face is left"):
        without_unfit([broken], unfit, "validation", leave_out=True, notify=print)


def test_faces_without_points_are_no_fault(face: FaceRecord, tmp_path: Path) -> None:
    empty = make_record(
        name="b", image=face.image, landmarks=None, scheme="inner51", source=face.image, boxes={"gt": Box(9, 9, 60, 60)}
    )
    assert find_unfit([empty], "inner51") == []


def test_the_distance_counts_where_it_is_measured(face: FaceRecord) -> None:
    broken = FAULTS["no normaliser"][0](face)
    assert find_unfit([broken], "inner51", None) == find_unfit([broken], "inner51", "box") == []
