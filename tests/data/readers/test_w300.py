"""300-W: round trips, conventions and error messages."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.data.readers import read_faces
from distill.data.readers.pts import read_pts
from distill.errors import AnnotationError, ConfigError, DistillError, ImageError
from distill.geometry import Box, box_of_points
from tests.support.annotation_writers import write_pts
from tests.support.errors import assert_one_line


def _spoil(root: Path, case: str) -> None:
    photo, annotation = root / "afw/a.png", root / "afw/a.pts"
    points = read_pts(annotation)
    match case:
        case "html photo":
            photo.write_text("<html>")
        case "empty photo":
            photo.write_bytes(b"")
        case "no photo":
            photo.unlink()
        case "html points":
            annotation.write_text("<html>")
        case "wrong count":
            write_pts(annotation, points[:60])
        case "nan":
            annotation.write_text(annotation.read_text().replace(annotation.read_text().split()[6], "nan"))
        case "far point":
            points[3] = (5000, 10)
            write_pts(annotation, points)
        case "face outside":
            write_pts(annotation, points + 500)
        case "no area":
            write_pts(annotation, points * [1, 0])
        case "box outside":
            columns = "image,det_x0,det_y0,det_x1,det_y1,gt_x0,gt_y0,gt_x1,gt_y1"
            (root / "bounding_boxes.csv").write_text(f"{columns}\nafw/a.png,500,500,540,540,20,20,60,60\n")
        case "broken boxes":
            columns = "image,det_x0,det_y0,det_x1,det_y1,gt_x0,gt_y0,gt_x1,gt_y1"
            (root / "bounding_boxes.csv").write_text(f"{columns}\nafw/a.png,1,2\n")
        case "box columns":
            (root / "bounding_boxes.csv").write_text("file,x\n")
        case "broken pairs":
            (root / "near_duplicates.csv").write_text("image_a,image_b\nafw/a\n")


def test_any_official_folder_is_a_subset(root: Path, make_face: Any) -> None:
    points = {stem: make_face(stem) for stem in ("afw/1_1", "helen/testset/9_1", "Test/01_Indoor/indoor_001")}
    assert [record.name for record in read_faces("300w", root)] == sorted(points)
    for subset in ("afw", "helen/testset", "helen", "Test/01_Indoor", "Test"):
        (record,) = read_faces("300w", root, [subset])
        assert record.name.startswith(subset)
        np.testing.assert_allclose(record.landmarks, points[record.name], atol=1e-4)
        assert record.boxes == {"gt": box_of_points(record.landmarks)}
        assert record.subset == record.name.rpartition("/")[0]


def test_overlapping_subsets_give_each_face_once(root: Path, make_face: Any) -> None:
    make_face("helen/testset/9_1")
    assert len(read_faces("300w", root, ["helen", "helen/testset"])) == 1


def test_51_points_are_recognised_and_68_are_converted(root: Path, make_face: Any) -> None:
    make_face("ivsfd/a", k=51)
    full = make_face("afw/b", k=68)
    (inner,) = read_faces("300w", root, ["ivsfd"])
    (cut,) = read_faces("300w", root, ["afw"], scheme="inner51")
    assert inner.scheme == cut.scheme == "inner51"
    np.testing.assert_allclose(cut.landmarks, full[17:], atol=1e-4)
    np.testing.assert_allclose(cut.boxes["gt"], box_of_points(full), atol=1e-4, err_msg="crops depend on the scheme")
    with pytest.raises(ConfigError, match="cannot be made"):
        read_faces("300w", root, ["ivsfd"], scheme="ibug68")


def test_official_boxes_are_shifted_to_zero_based_and_det_is_optional(root: Path, make_face: Any) -> None:
    make_face("afw/a"), make_face("afw/b")
    columns = "image,det_x0,det_y0,det_x1,det_y1,gt_x0,gt_y0,gt_x1,gt_y1"
    (root / "bounding_boxes.csv").write_text(f"{columns}\nafw/a.jpg,11,12,41,42,21,22,51,52\n")
    first, second = read_faces("300w", root)
    assert first.boxes == {"dataset": Box(10, 11, 40, 41), "gt": Box(20, 21, 50, 51)}
    assert set(second.boxes) == {"gt"}


def test_duplicates_and_faces_of_one_photo_share_a_group(root: Path, make_face: Any) -> None:
    for stem in (
        "lfpw/image_1",
        "lfpw/image_2",
        "lfpw/image_3",
        "lfpw/image_4",
        "helen/77_1",
        "helen/77_2",
        "helen/78_1",
    ):
        make_face(stem)
    pairs = "image_a,image_b,d\nlfpw/image_3,lfpw/image_2,1\nlfpw/image_2,lfpw/image_1,1\nhelen/77_2,lfpw/image_4,1\n"
    (root / "near_duplicates.csv").write_text(pairs)
    group = {record.name: record.group for record in read_faces("300w", root)}
    assert group["lfpw/image_1"] == group["lfpw/image_2"] == group["lfpw/image_3"]
    assert group["helen/77_1"] == group["helen/77_2"] == group["lfpw/image_4"]
    assert len(set(group.values())) == 3
    # Separate reads must agree, or training faces could not be compared with test faces.
    for subset in ("lfpw", "helen"):
        assert all(record.group == group[record.name] for record in read_faces("300w", root, [subset]))


def test_ibug_and_mirrored_names_belong_to_their_photo(root: Path, make_face: Any) -> None:
    for stem in (
        "ibug/image_003_1",
        "ibug/image_003_2",
        "lfpw/image_0001",
        "lfpw/image_0001_mirror",
        "lfpw/image_0002",
    ):
        make_face(stem)
    counts = Counter(record.group for record in read_faces("300w", root))
    assert counts == {"ibug/image_003": 2, "lfpw/image_0001": 2, "lfpw/image_0002": 1}


def test_points_a_little_outside_are_kept(root: Path, make_face: Any) -> None:
    points = make_face("afw/a")
    points[8] = (40.0, 90.0)
    write_pts(root / "afw/a.pts", points)
    (record,) = read_faces("300w", root)
    np.testing.assert_allclose(record.landmarks, points, atol=1e-4)


@pytest.mark.parametrize(
    ("case", "error", "file", "message"),
    [
        ("html photo", ImageError, "a.png", "web page"),
        ("empty photo", ImageError, "a.png", "empty"),
        ("no photo", AnnotationError, "a.pts", "no photo"),
        ("html points", AnnotationError, "a.pts", "web page"),
        ("wrong count", AnnotationError, "a.pts", "60 points"),
        ("nan", AnnotationError, "a.pts", "finite"),
        ("far point", AnnotationError, "a.pts", "outside the 96x80 photo"),
        ("face outside", AnnotationError, "a.pts", "outside the 96x80 photo"),
        ("no area", AnnotationError, "a.pts", "no area"),
        ("box outside", AnnotationError, "a.pts", "dataset box"),
        ("broken boxes", AnnotationError, "bounding_boxes.csv", "line 2"),
        ("box columns", AnnotationError, "bounding_boxes.csv", "no column"),
        ("broken pairs", AnnotationError, "near_duplicates.csv", "line 2"),
    ],
)
def test_bad_data_is_one_line(
    root: Path, make_face: Any, case: str, error: type[DistillError], file: str, message: str
) -> None:
    make_face("afw/a")
    _spoil(root, case)
    with pytest.raises(error) as caught:
        read_faces("300w", root)
    assert_one_line(caught, file, message)
