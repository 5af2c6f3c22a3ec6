"""COCO keypoint files: round trips, conventions and error messages."""

import json
from pathlib import Path

import numpy as np
import pytest

from distill.data.readers import read_faces
from distill.errors import AnnotationError, ConfigError
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


def test_coco_scheme_by_number_or_by_name(root: Path) -> None:
    path = make_coco(root)
    content = json.loads(path.read_text())
    for face in content["annotations"]:
        face["keypoints"] = np.c_[random_points(106), np.ones(106)].ravel().tolist()
    path.write_text(json.dumps(content))
    assert read_faces("coco", root)[0].scheme == "lapa106"
    assert read_faces("coco", root, scheme="jd106")[0].landmarks.tolist() == random_points(106).tolist()
    for face in content["annotations"]:
        face["keypoints"] = face["keypoints"][:21]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"7 keypoints.*--data.scheme"):
        read_faces("coco", root)


def test_coco_checks_the_size_in_the_file(root: Path) -> None:
    path = make_coco(root)
    path.write_text(path.read_text().replace('"width":96', '"width":9'))
    with pytest.raises(AnnotationError, match="outside the 9x80 photo"):
        read_faces("coco", root)
