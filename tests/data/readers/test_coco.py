"""COCO keypoint files: round trips, conventions and error messages."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.data.readers import read_faces
from distill.errors import AnnotationError, ConfigError
from distill.geometry import Box
from tests.support.reader_cases import (
    coco_records,
    make_coco,
    random_points,
)


def test_coco_round_trip_keeps_occluded_and_unknown_points(root: Path) -> None:
    make_coco(root)
    for record, again in zip(coco_records(root), read_faces("coco", root), strict=True):
        np.testing.assert_array_equal(record.landmarks, again.landmarks)
        np.testing.assert_array_equal(record.visible, again.visible)
        np.testing.assert_array_equal(record.known, again.known)
        assert (record.boxes, record.group, record.subset) == (again.boxes, again.group, again.subset)


def test_coco_flag_one_means_visible_where_nothing_is_two(root: Path) -> None:
    path = make_coco(root)
    content = json.loads(path.read_text())
    for face in content["annotations"]:
        face["keypoints"][2::3] = [1] * 29
    path.write_text(json.dumps(content))
    assert all(record.visible.all() for record in read_faces("coco", root))


def _rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def _with_keypoints(count: int, names: Sequence[str] = ()) -> Callable[[dict[str, Any]], object]:
    def change(content: dict[str, Any]) -> None:
        for face in content["annotations"]:
            face["keypoints"] = np.c_[random_points(count), np.ones(count)].ravel().tolist()
        content["categories"] = [{"id": 1, "name": "face", "keypoints": list(names)}] if names else []

    return change


def test_coco_scheme_by_number_or_by_name(root: Path) -> None:
    path = _rewritten(make_coco(root), _with_keypoints(98))
    assert read_faces("coco", root)[0].scheme == "wflw98"
    _rewritten(path, _with_keypoints(106))
    with pytest.raises(ConfigError, match=r"106 keypoints fit several schemes; .*jd106.*lapa106.*webmorph106"):
        read_faces("coco", root)
    assert read_faces("coco", root, scheme="jd106")[0].landmarks.tolist() == random_points(106).tolist()
    _rewritten(path, _with_keypoints(7))
    with pytest.raises(ConfigError, match=r"7 keypoints.*--data.scheme"):
        read_faces("coco", root)


FIVE = ("right_eye", "left_eye", "nose", "right_mouth_corner", "left_mouth_corner")


def test_coco_names_choose_between_schemes_of_as_many_points(root: Path) -> None:
    path = _rewritten(make_coco(root), _with_keypoints(5, FIVE))
    assert read_faces("coco", root)[0].scheme == "five"
    dlib = ("left_eye_outer", "left_eye_inner", "right_eye_outer", "right_eye_inner", "nose")
    _rewritten(path, _with_keypoints(5, dlib))
    assert read_faces("coco", root)[0].scheme == "dlib5"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("nose", "right_eye", "left_eye", "right_mouth", "left_mouth"), "keypoint 0 is called 'nose'"),
        (("right_eye", "left_eye", "nose", "lip_top", "nose_base"), "keypoint 4 is called 'nose_base'"),
    ],
)
def test_coco_names_of_other_points_are_refused(root: Path, names: Sequence[str], message: str) -> None:
    # Five numbers a face fit the scheme; what they mean does not.
    _rewritten(make_coco(root), _with_keypoints(5, names))
    with pytest.raises(ConfigError, match=message):
        read_faces("coco", root, scheme="five")


def test_coco_resized_photos_are_refused(root: Path) -> None:
    path = make_coco(root)
    path.write_text(path.read_text().replace('"width":96,"height":80', '"width":192,"height":160'))
    with pytest.raises(AnnotationError, match=r"annotated in a photo of 192x160 pixels, but a\.jpg has 96x80"):
        read_faces("coco", root)


def _without(content: dict[str, Any]) -> None:
    whole = content["annotations"][0]
    rest = {"image_id": whole["image_id"]}
    zeros = [0] * len(whole["keypoints"])
    content["annotations"] += [
        {"id": 10, **rest, "bbox": [5, 6, 20, 30]},
        {"id": 11, **rest, "bbox": [5, 6, 20, 30], "keypoints": zeros, "num_keypoints": 0},
        {"id": 12, **rest, "bbox": [5, 6, 20, 30], "keypoints": zeros, "num_keypoints": 0, "iscrowd": 1},
        {"id": 13, **rest, "keypoints": [], "num_keypoints": 0},
    ]


def test_coco_faces_without_keypoints_have_no_labels_and_crowds_are_skipped(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _rewritten(make_coco(root), _without)
    records = read_faces("coco", root)
    assert [record.labels for record in records] == ["hand", "hand", "none", "none"]
    assert records[2].boxes == {"dataset": Box(5, 6, 25, 36)}
    assert records[2].scheme == "cofw29"
    assert "2 annotations are crowds or have no keypoints and no box; they are skipped" in caplog.text


def test_coco_without_any_keypoints_is_refused(root: Path) -> None:
    _rewritten(make_coco(root), lambda content: [face.pop("keypoints") for face in content["annotations"]])
    with pytest.raises(AnnotationError, match="no annotation with keypoints"):
        read_faces("coco", root)
