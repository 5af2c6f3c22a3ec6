"""Menpo, IVSFD, 300-VW and other `.pts` layouts: round trips, conventions and error messages."""

from pathlib import Path

import pytest

from distill.data.readers import read_faces
from distill.errors import AnnotationError, ConfigError
from tests.support.reader_cases import (
    make_pts,
    write_photo,
)


def test_menpo_mixes_frontal_and_profile_by_file(root: Path) -> None:
    make_pts(root)
    assert {record.name: record.scheme for record in read_faces("menpo", root)} == {
        "afw/c_1": "inner51",
        "menpo/a": "ibug68",
        "menpo/b": "menpo39",
    }
    assert [record.name for record in read_faces("menpo", root, ["39pt"])] == ["menpo/b"]
    assert [record.name for record in read_faces("menpo", root, ["menpo/68pt"], scheme="inner51")] == ["menpo/a"]
    with pytest.raises(ConfigError, match="menpo39"):
        read_faces("menpo", root, ["menpo"], scheme="ibug68")
    with pytest.raises(AnnotationError, match="no face with as many points as 5pt"):
        read_faces("menpo", root, ["5pt"])


def test_ivsfd_photos_lie_beside_the_labels_folder(root: Path) -> None:
    make_pts(root)
    (record,) = read_faces("ivsfd", root, ["afw"])
    assert (record.image, record.subset, record.group) == (root / "afw/images/c_1.jpg", "afw", "afw/c_1")
    record.image.unlink()
    with pytest.raises(AnnotationError, match=r"no photo c_1.* in "):
        read_faces("ivsfd", root, ["afw"])


def test_several_faces_in_one_pts_file_share_their_photo(root: Path) -> None:
    path = make_pts(root)
    path.write_text(path.read_text() * 2)
    both = read_faces("300w", root, ["menpo/68pt"])
    assert [record.name for record in both] == ["menpo/a#0", "menpo/a#1"]
    assert len({record.group for record in both}) == len({record.image for record in both}) == 1


def test_frames_of_a_300vw_clip_share_a_group(root: Path) -> None:
    for clip, frame in (("001", "000001"), ("001", "000002"), ("002", "000001")):
        (root / clip / "annot").mkdir(parents=True, exist_ok=True)
        text = (make_pts(root / "made")).read_text().replace("version: 1", "version: 1.0")
        (root / clip / "annot" / f"{frame}.pts").write_text(text)
        write_photo(root / clip / "imgs" / f"{frame}.jpg")
    groups = [record.group for record in read_faces("300w", root, ["001", "002"])]
    assert groups == ["001", "001", "002"]
