"""WFLW: round trips, conventions and error messages."""

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.data.readers import read_faces
from distill.data.readers.wflw import ATTRIBUTES, LISTS, PHOTOS, WflwFace, parse_wflw
from distill.errors import AnnotationError
from distill.geometry import Box, box_of_points
from tests.support.annotation_writers import format_wflw
from tests.support.errors import assert_one_line
from tests.support.reader_cases import (
    make_wflw,
    wflw_faces,
    write_photo,
)


@given(st.lists(arrays(np.float32, (98, 2), elements=st.floats(-9000, 9000, width=32)), max_size=3), st.data())
def test_wflw_round_trip(points: list[np.ndarray], data: st.DataObject) -> None:
    faces = [
        WflwFace(p, Box(0.5, 1.0, 2.0, 3.25), {name: data.draw(st.booleans()) for name in ATTRIBUTES}, "a b/c.jpg")
        for p in points
    ]
    for face, again in zip(faces, parse_wflw(format_wflw(faces), Path("a")), strict=True):
        assert face.points.tobytes() == (again.points + 0).tobytes() or (face.points == again.points).all()
        assert face[1:] == again[1:]


def test_wflw_subsets_boxes_attributes_and_groups(root: Path) -> None:
    make_wflw(root)
    records = read_faces("wflw", root)
    assert Counter(record.subset for record in records) == {"train": 3, "test": 3}
    assert len({record.name for record in records}) == 6
    first, second, third = read_faces("wflw", root, ["test"])
    assert first.group == second.group != third.group, "faces of one photo must stay on one side of a split"
    assert first.boxes == {"gt": box_of_points(first.landmarks), "dataset": Box(1.25, 2.5, 90.0, 70.0)}
    assert set(first.attributes) == set(ATTRIBUTES)
    occluded = read_faces("wflw", root, ["test/occlusion"])
    assert [r.name for r in occluded] == [r.name for r in (first, second, third) if r.attributes["occlusion"]]
    assert 0 < len(occluded) < 3
    np.testing.assert_array_equal(first.landmarks, wflw_faces()[0].points)
    assert len(read_faces("wflw", root, ["test", "test/occlusion"])) == 3


def test_wflw_boxes_that_only_repeat_the_points_are_no_detector(root: Path) -> None:
    faces = [face._replace(box=Box(*np.round(box_of_points(face.points)))) for face in wflw_faces()]
    make_wflw(root)
    (root / LISTS["test"]).write_text(format_wflw(faces))
    assert all(set(record.boxes) == {"gt"} for record in read_faces("wflw", root, ["test"]))
    assert all(set(record.boxes) == {"gt", "dataset"} for record in read_faces("wflw", root, ["train"]))


def test_wflw_reads_thousands_of_faces_in_seconds(root: Path) -> None:
    make_wflw(root)
    line = (root / LISTS["test"]).read_text().splitlines()[0]
    (root / LISTS["test"]).write_text(f"{line}\n" * 3000)
    started = time.process_time()
    assert len(read_faces("wflw", root, ["test"])) == 3000
    assert time.process_time() - started < 9


def test_wflw_paths_stay_in_the_folder(root: Path) -> None:
    make_wflw(root)
    write_photo(root / "secret.jpg")
    text = (root / LISTS["test"]).read_text().replace("1--Handshaking/b.jpg", "../secret.jpg")
    (root / LISTS["test"]).write_text(text)
    with pytest.raises(AnnotationError, match=r"face 3.*outside"):
        read_faces("wflw", root, ["test"])
    assert not (root / PHOTOS / "secret.jpg").exists()


def test_a_long_name_of_a_photo_is_cut_in_the_message(root: Path) -> None:
    """A slash among the numbers of a line makes all those before it folders of its photo."""
    path = make_wflw(root)
    path.write_text(path.read_text().replace("0--Parade/", "0--Parade/" + "68.82967 20.67146/" * 20))
    with pytest.raises(AnnotationError, match="no photo") as caught:
        read_faces("wflw", root, ["test"])
    assert_one_line(caught)
