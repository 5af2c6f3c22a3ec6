"""Each fault that people have in their data is found in generated faces, named, and nothing is found without one."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from distill.data.check import CheckOptions, Finding, Report, check_data
from distill.data.check.duplicates import is_test
from distill.data.check.hashes import hash_folder, write_hashes
from distill.data.check.shape import complex_shapes, lay_on, mean_shape
from distill.data.readers import read_faces
from distill.data.readers.pts import read_pts
from distill.data.records import FaceRecord
from distill.data.spilled import Spilled
from distill.data.synthetic import render_face
from distill.errors import AnnotationError, ConfigError
from distill.images import image_size
from distill.landmarks import load_scheme
from tests.support.annotation_writers import write_pts

_COUNT = 24
_FLIP = list(load_scheme("ibug68").flip)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated faces in the layout of 300-W, 16 to train and 8 to test."""
    root = tmp_path_factory.mktemp("made")
    for index in range(_COUNT):
        folder = root / ("a/trainset" if index < 16 else "a/testset")
        folder.mkdir(parents=True, exist_ok=True)
        face = render_face(3, index, 96, 0.5)
        cv2.imwrite(str(folder / f"face{index}.jpg"), face.image[..., ::-1])
        write_pts(folder / f"face{index}.pts", face.landmarks["ibug68"])
    return root


@pytest.fixture
def faces(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "faces"))


def _check(root: Path, **options: object) -> Report:
    return check_data("300w", root, options=CheckOptions(**{"smallest": 10, **options}))[0]  # type: ignore[arg-type]


def _found(report: Report, severity: str = "") -> list[tuple[str, str]]:
    return [(f.check, f.file) for f in report.findings if not severity or f.severity == severity]


def _change(root: Path, stem: str, change: Callable[[NDArray[np.float32]], NDArray[np.floating]]) -> None:
    path = next(root.rglob(f"{stem}.pts"))
    write_pts(path, change(read_pts(path)))


def test_sound_faces_pass_and_are_counted(faces: Path) -> None:
    report = _check(faces)
    assert report.findings == []
    assert not report.failed
    assert {name: (c.faces, c.photos, c.groups) for name, c in report.subsets.items()} == {
        "a/testset": (8, 8, 8),
        "a/trainset": (16, 16, 16),
        "all": (24, 24, 24),
    }
    assert report.data_hash is not None


def test_every_broken_file_is_named_not_only_the_first(faces: Path) -> None:
    """Training stops at the first fault; a check that did would be run once for each broken file."""
    (faces / "a/trainset/face1.pts").write_text("<html>404</html>")
    _change(faces, "face2", lambda points: points[:60])
    (faces / "a/testset/face20.jpg").write_bytes(b"")
    photo = faces / "a/trainset/face3.jpg"
    photo.write_bytes(photo.read_bytes()[:-900])  # its header is whole: only decoding finds this
    (faces / "a/testset/lost.jpg").write_bytes((faces / "a/testset/face21.jpg").read_bytes()[:50])
    report = _check(faces)
    errors = {f.file: f for f in report.findings if f.severity == "error"}
    assert set(errors) == {
        "a/trainset/face1.pts",
        "a/trainset/face2.pts",
        "a/testset/face20.jpg",
        "a/trainset/face3.jpg",
        "a/testset/lost.jpg",
    }
    assert report.subsets["all"].faces == _COUNT - 3
    assert report.failed
    assert all("\n" not in f.what and f.todo for f in report.findings)


def test_a_broken_table_is_told_and_the_photos_are_still_read(faces: Path) -> None:
    (faces / "bounding_boxes.csv").write_text("file,x\n")
    (faces / "a/testset/face20.jpg").write_bytes(b"")
    report = _check(faces)
    assert ("unreadable", "bounding_boxes.csv") in _found(report, "error")
    assert ("broken photo", "a/testset/face20.jpg") in _found(report, "error")


def test_left_and_right_exchanged_in_one_face_and_in_all(faces: Path) -> None:
    _change(faces, "face5", lambda points: points[_FLIP])
    assert _found(_check(faces)) == [("left and right", "a/trainset/face5")]
    for path in faces.rglob("*.pts"):
        write_pts(path, read_pts(path)[_FLIP])
    report = _check(faces)
    assert ("left and right", "ibug68") in _found(report, "error")
    assert ("left and right", "a/trainset/face5") in _found(report, "error"), "now it is the odd one"


def test_mirrored_points_without_new_order_are_found(faces: Path) -> None:
    """A photo mirrored by hand: the points were mirrored with it, but keep their numbers."""
    photo = faces / "a/trainset/face5.jpg"
    cv2.imwrite(str(photo), cv2.imread(str(photo))[:, ::-1])
    _change(faces, "face5", lambda points: np.stack([95 - points[:, 0], points[:, 1]], axis=1))
    assert _found(_check(faces)) == [("left and right", "a/trainset/face5")]


def test_wrong_order_in_one_face_and_in_all(faces: Path) -> None:
    order = np.random.default_rng(0).permutation(68)
    _change(faces, "face4", lambda points: points[order])
    (found,) = _found(_check(faces))
    assert found in (("odd shape", "a/trainset/face4"), ("left and right", "a/trainset/face4"))
    for path in faces.rglob("*.pts"):
        write_pts(path, read_pts(path)[order])
    assert _found(_check(faces), "error") == [("wrong scheme", "ibug68")]


def test_exchanged_and_astray_points_are_numbered(faces: Path) -> None:
    def exchange(points: NDArray[np.float32]) -> NDArray[np.float32]:
        points[[36, 54]] = points[[54, 36]]
        return points

    def astray(points: NDArray[np.float32]) -> NDArray[np.float32]:
        points[30] = points[[19, 24]].mean(0) - [0, 12]
        return points

    _change(faces, "face6", exchange)
    _change(faces, "face7", astray)
    found = {f.file: f for f in _check(faces).findings}
    assert found["a/trainset/face6"].what == "points 36 and 54 lie at each other's position"
    assert found["a/trainset/face7"].what.startswith("point 30 is ")
    assert len(found) == 2


def test_leaks_by_bytes_by_group_and_by_looks(faces: Path) -> None:
    for suffix in ("jpg", "pts"):
        shutil.copy(faces / f"a/testset/face17.{suffix}", faces / f"a/trainset/same.{suffix}")
        shutil.copy(faces / f"a/testset/face18.{suffix}", faces / f"a/trainset/listed.{suffix}")
        shutil.copy(faces / f"a/testset/face19.{suffix}", faces / f"a/trainset/again.{suffix}")
    picture = cv2.imread(str(faces / "a/testset/face19.jpg"))
    cv2.imwrite(
        str(faces / "a/trainset/again.jpg"), np.clip(picture * 0.8 + 20, 0, 255), [cv2.IMWRITE_JPEG_QUALITY, 60]
    )
    picture = cv2.imread(str(faces / "a/testset/face18.jpg"))
    cv2.imwrite(str(faces / "a/trainset/listed.jpg"), picture // 2)
    (faces / "near_duplicates.csv").write_text("image_a,image_b\na/trainset/listed,a/testset/face18\n")
    report = _check(faces)
    assert Counter(_found(report)) == Counter(
        [
            ("leak", "a/trainset/listed"),
            ("same file", "a/trainset/same.jpg"),
            ("near duplicate, leaks", "a/trainset/again"),
        ]
    )
    assert {f.severity for f in report.findings if f.check == "same file"} == {"error"}


def test_the_user_says_what_is_tested_on(faces: Path) -> None:
    shutil.move(faces / "a/testset", faces / "a/others")
    assert ("leak", ".") in _found(_check(faces), "note")
    assert _found(_check(faces, test=("a/others",))) == []
    with pytest.raises(ConfigError, match=r"--test a/other: no face is of such a subset: did you mean 'a/others'"):
        _check(faces, test=("a/other",))
    assert is_test("helen/testset", None)
    assert is_test("Test/01_Indoor", None)
    assert is_test("testing", None)
    assert is_test("dev", None)
    assert not is_test("latest", None)
    assert not is_test("helen/trainset", None)


def test_far_tiny_and_doubled_points(faces: Path) -> None:
    _change(faces, "face8", lambda points: points - [0, points[:, 1].min() + 0.3 * np.ptp(points[:, 1])])
    _change(faces, "face9", lambda points: points[[*range(40), *[40] * 28]])
    found = {(f.check, f.file): f for f in _check(faces).findings}
    assert found["outside photo", "a/trainset/face8"].severity == "warning"
    assert "27 of 68" in found["same place", "a/trainset/face9"].what
    assert Counter(check for check, _ in _found(_check(faces, smallest=60)))["tiny face"] > 0


def _set_orientation(photo: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(photo).save(photo, exif=exif, quality=95)


def _write_csv(root: Path, size: tuple[int, int] | None) -> list[Finding]:
    """Write a CSV of a 68-point face in the upright pixels of face1.jpg; return what a check finds."""
    points = read_pts(root / "face1.pts")
    cells = [f"{value:.2f}" for value in points.ravel()]
    names = [f"{axis}{index}" for index in range(len(points)) for axis in "xy"]
    stated = [("width", size[0]), ("height", size[1])] if size else []
    head = ",".join(["image", *names, *(name for name, _ in stated)])
    (root / "test.csv").write_text("\n".join([head, ",".join(["face1.jpg", *cells, *(str(v) for _, v in stated)])]))
    return list(check_data("csv", root, scheme="ibug68", options=CheckOptions(smallest=10))[0].findings)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("stated", [False, True])
def test_a_turned_photo_without_a_size_that_tells_the_pixels(
    made: Path, tmp_path: Path, orientation: int, stated: bool
) -> None:
    for suffix in ("jpg", "pts"):
        shutil.copy(next(made.rglob(f"face1.{suffix}")), tmp_path)
    picture = cv2.copyMakeBorder(cv2.imread(str(tmp_path / "face1.jpg")), 0, 30, 0, 0, cv2.BORDER_REPLICATE)
    cv2.imwrite(str(tmp_path / "face1.jpg"), picture)  # 96 x 126 pixels
    _set_orientation(tmp_path / "face1.jpg", orientation)
    shown = image_size(tmp_path / "face1.jpg")
    found = [finding for finding in _write_csv(tmp_path, shown if stated else None) if finding.check == "orientation"]
    # Half a turn keeps the size, so that stating it tells nothing.
    assert len(found) == (orientation != 1 and not (stated and orientation == 6))
    if found:
        assert (found[0].severity, found[0].file) == ("warning", "face1.jpg")
        assert found[0].what.startswith("1 of 1 faces are in photos that an orientation tag turns, and no size tells")
        assert "points of the photo as it is shown" in found[0].what


def test_hash_list_notices_a_flipped_byte_a_lost_and_a_new_file(faces: Path, tmp_path: Path) -> None:
    sums = tmp_path / "sums.txt"
    assert _found(_check(faces, hashes=sums)) == [("hash list", "sums.txt")]
    assert _check(faces, hashes=sums).findings == []
    path = faces / "a/trainset/face1.pts"
    data = bytearray(path.read_bytes())
    data[-4] ^= 1  # in the last decimal: no other check could see it
    path.write_bytes(data)
    (faces / "a/testset/face23.pts").unlink()
    (faces / "a/new.txt").touch()
    report = _check(faces, hashes=sums)
    listed = {(f.severity, f.file): f.what for f in report.findings if f.check == "hash list"}
    assert listed == {
        ("error", "a/trainset/face1.pts"): "has changed since the list was made",
        ("error", "a/testset/face23.pts"): "is gone",
        ("warning", "a/new.txt"): "is not in the list",
    }
    sums.write_text("rubbish")
    with pytest.raises(AnnotationError, match="line 1 is not"):
        _check(faces, hashes=sums)


def test_unknown_format_and_folder(faces: Path) -> None:
    with pytest.raises(ConfigError, match="unknown data format"):
        check_data("300-w", faces)
    with pytest.raises(AnnotationError, match="no such folder"):
        check_data("300w", faces / "nowhere")


def test_points_never_marked_do_not_disturb_the_mean(made: Path) -> None:
    records = read_faces("300w", made)
    whole = mean_shape(complex_shapes(records))
    known = np.arange(68) != 33
    partial = mean_shape(complex_shapes([replace(r, known=known) for r in records]))
    assert np.isnan(partial[33])
    assert lay_on(partial[None], whole).error[0] < 0.01


def test_fit_undoes_turning_and_scaling_but_not_mirroring(made: Path) -> None:
    shapes = complex_shapes(read_faces("300w", made))
    mean = mean_shape(shapes)
    turned = lay_on(shapes * 3 * np.exp(0.7j) + 40, mean)
    np.testing.assert_allclose(turned.error, lay_on(shapes, mean).error, atol=1e-9)
    assert (lay_on(np.conj(shapes), mean).error > 2 * turned.error).all()


def test_processes_and_faces_on_disk_change_nothing(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for copy, original in (("a", 19), ("b", 2)):
        shutil.copy(faces / f"a/{'testset' if original > 15 else 'trainset'}/face{original}.pts", faces / f"{copy}.pts")
        picture = cv2.imread(str(next(faces.rglob(f"face{original}.jpg"))))
        cv2.imwrite(str(faces / f"{copy}.jpg"), np.clip(picture * 0.8 + 20, 0, 255))
    (faces / "a/testset/face20.jpg").write_bytes(b"")
    _change(faces, "face5", lambda points: points[_FLIP])
    _change(faces, "face7", lambda points: points - [0, 40])
    write_hashes(faces / "sums.txt", hash_folder(faces, faces / "sums.txt"))
    expected = _check(faces, hashes=faces / "sums.txt")
    assert {"near duplicate", "near duplicate, leaks", "left and right"} <= {f.check for f in expected.findings}
    monkeypatch.setattr("distill.data.check.tolerant.Spilled", partial(Spilled, in_memory=3))
    for name, count in {"photos._TOGETHER": 4, "duplicates._TOGETHER": 2, "shape._BLOCK": 5, "pairs._ROWS": 7}.items():
        monkeypatch.setattr(f"distill.data.check.{name}", count)
    for name in ("photos", "duplicates"):
        monkeypatch.setattr(f"distill.data.check.{name}._PER_PROCESS", 1)
    assert _check(faces, hashes=faces / "sums.txt", workers=2) == expected


def test_report_is_json_without_paths_of_the_machine(faces: Path) -> None:
    _change(faces, "face5", lambda points: points[_FLIP])
    content = json.dumps(_check(faces).to_json(), allow_nan=False)
    assert str(faces) not in content
    assert json.loads(content)["counts"] == {"error: left and right": 1}


# real faces, spoiled


def _spoiled(records: list[FaceRecord], step: int = 10) -> tuple[list[FaceRecord], int]:
    bad = [replace(r, landmarks=r.landmarks[_FLIP]) if i % step == 0 else r for i, r in enumerate(records)]
    return bad, len(records[::step])


def test_real_300w_is_sound_and_every_exchange_is_found(real_data: Path) -> None:
    from distill.data.check.shape import find_odd_shapes

    records = read_faces("300w", real_data / "300W", ["helen/testset", "lfpw/testset"])
    assert list(find_odd_shapes(records)) == []
    bad, count = _spoiled(records)
    found: list[Finding] = list(find_odd_shapes(bad))
    assert len(found) == count
    assert {f.check for f in found} == {"left and right"}
