"""Real data sets: counts of faces and attributes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from distill.data.readers import parse_subsets, read_faces
from distill.data.readers.wflw import PHOTOS
from distill.geometry import box_of_points

_xml = pytest.mark.skipif(not importlib.util.find_spec("defusedxml"), reason="defusedxml is not installed")


@pytest.mark.parametrize(
    ("name", "folder", "subsets", "count", "scheme"),
    [
        ("300w", "300W", {"lfpw/trainset": 645, "lfpw/testset": 224}, 869, "ibug68"),
        ("300w", "300W", {"helen/trainset": 700, "helen/testset": 330}, 1030, "ibug68"),
        ("wflw", "WFLW", {"train": 90, "test": 47}, 137, "wflw98"),
        ("wflw", "WFLW", {"test/largepose": 7, "test/expression": 10, "test/illumination": 15}, None, "wflw98"),
        ("wflw", "WFLW", {"test/makeup": 8, "test/occlusion": 14, "test/blur": 15}, None, "wflw98"),
        ("coco", "mmpose_samples/cofw", {"test_cofw": 2}, 2, "cofw29"),
        ("coco", "mmpose_samples/aflw", {"test_aflw": 2}, 2, "aflw19"),
        ("coco", "mmpose_samples/lapa", {"test_lapa": 2}, 2, "lapa106"),
        ("coco", "mmpose_samples/wflw", {"test_wflw": 4}, 4, "wflw98"),
        ("coco", "mmpose_samples/300w", {"test_300w": 2}, 2, "ibug68"),
        ("300w", "mmpose_samples/300vw", {"001": 2, "401": 2}, 4, "ibug68"),
    ],
)
def test_real_counts(
    real_data: Path, name: str, folder: str, subsets: dict[str, int], count: int | None, scheme: str
) -> None:
    for subset, wanted in subsets.items():
        records = read_faces(name, real_data / folder, [subset], scheme)
        assert len(records) == wanted, subset
        assert {record.scheme for record in records} == {scheme}
    if count is not None:
        assert len(read_faces(name, real_data / folder, list(subsets), scheme)) == count


def test_real_wflw_attribute_lists_hold_the_faces_with_that_attribute(real_data: Path) -> None:
    lists = real_data / "WFLW" / "WFLW_annotations" / "list_98pt_test"
    for subset in ("largepose", "expression", "illumination", "makeup", "occlusion", "blur"):
        lines = [line.split() for line in (lists / f"list_98pt_test_{subset}.txt").read_text().splitlines()]
        listed = sorted((line[-1], float(line[0])) for line in lines)
        read = read_faces("wflw", real_data / "WFLW", [f"test/{subset}"])
        photos = real_data / "WFLW" / PHOTOS
        listed_photos = sorted((record.image.relative_to(photos).as_posix(), record.landmarks[0, 0]) for record in read)
        assert [path for path, _ in listed_photos] == [path for path, _ in listed]
        np.testing.assert_allclose([x for _, x in listed_photos], [x for _, x in listed], rtol=1e-6)


@pytest.mark.parametrize(
    ("folder", "format", "count", "labels", "groups"),
    [
        pytest.param("dlib_faces", "dlib", 43, "hand", 9, marks=_xml),
        ("muct", "muct", 750, "hand", 150),
        ("youtube_faces", "udacity", 1676, "weak", 270),
        ("FaceSynthetics", "face_synthetics", 80, "hand", 80),
        ("webmorph", "webmorph", 58, "hand", 58),
    ],
)
def test_real_sets_are_read_whole(
    real_data: Path, folder: str, format: str, count: int, labels: str, groups: int
) -> None:
    records = read_faces(format, real_data / folder)
    assert (len(records), {record.labels for record in records}) == (count, {labels})
    assert len({record.group for record in records}) == groups


def test_real_300w_is_complete(real_300w: Path) -> None:
    test = read_faces("300w", real_300w, parse_subsets("helen/testset+lfpw/testset"), scheme="inner51")
    train = read_faces("300w", real_300w, parse_subsets("helen/trainset+lfpw/trainset"))
    assert (len(test), len(train)) == (554, 1345)
    assert all({"gt", "dataset"} == set(record.boxes) for record in test + train)
    # The official tight boxes and our points must agree on where pixel 0 is.
    assert max(np.abs(np.subtract(r.boxes["gt"], box_of_points(r.landmarks))).max() for r in train) < 0.01
