"""Annotations from disk: exact where they are sound, one clear line where they are not."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from distill.data.readers import FORMATS, parse_subsets, read_faces, register_format, with_own_scheme
from distill.data.readers.manifest import FILE_NAME, FORMAT
from distill.data.readers.pts import format_pts, parse_pts, parse_pts_blocks, read_pts, write_pts
from distill.data.records import FaceRecord
from distill.errors import AnnotationError, ConfigError, DistillError, ImageError
from distill.geometry import Box, box_of_points

_GOOD = "version: 1\nn_points:  2\n{\n1.0 2.0\n3.5 4.25\n}\n"

_points = arrays(
    np.float32,
    st.tuples(st.integers(0, 70), st.just(2)),
    elements=st.floats(-9000, 9000, width=32, allow_nan=False, allow_infinity=False),
)


def _one_line(error: pytest.ExceptionInfo[DistillError], *parts: str) -> None:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 400
    for part in parts:
        assert part in text


# .pts


def test_pts_is_one_based_on_disk() -> None:
    assert parse_pts(_GOOD, "a").tolist() == [[0.0, 1.0], [2.5, 3.25]]
    assert "1.000 1.000" in format_pts(np.zeros((1, 2), np.float32), decimals=3)


@given(_points)
@example(np.zeros((0, 2), np.float32))
def test_pts_round_trip(points: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(parse_pts(format_pts(points), "a"), points, atol=1e-6, rtol=0)


@given(st.lists(st.tuples(_points, st.sampled_from(["", "right one", "left one"])), min_size=1, max_size=4))
def test_several_faces_keep_order_and_labels(faces: list[tuple[np.ndarray[Any, Any], str]]) -> None:
    read = parse_pts_blocks("".join(format_pts(points, label) for points, label in faces), "a")
    assert [face.label for face in read] == [label for _, label in faces]
    for face, (points, _) in zip(read, faces, strict=True):
        np.testing.assert_allclose(face.points, points, atol=1e-6, rtol=0)


@given(st.text())
def test_any_text_raises_nothing_but_annotation_error(text: str) -> None:
    with pytest.raises(AnnotationError):
        parse_pts(text, "a")


@settings(max_examples=300)
@given(st.data())
def test_mutated_text_raises_nothing_but_annotation_error(data: st.DataObject) -> None:
    text = list(_GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.characters())
    with suppress(AnnotationError):
        assert np.isfinite(parse_pts("".join(text), "a")).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends where"),
        ("<html>404</html>", "web page"),
        (_GOOD.replace("2.0", "nan"), "finite"),
        (_GOOD.replace("2.0", "1e30"), "finite"),
        (_GOOD.replace("2.0", "2.0 7"), "point 1 of 2"),
        (_GOOD.replace("n_points:  2", "n_points: 3"), "point 3 of 3"),
        (_GOOD.replace("n_points:  2", "n_points: 1"), "'}'"),
        (_GOOD.replace("n_points:  2", "n_points: -1"), "n_points"),
        (_GOOD.replace("{", ""), "'{'"),
        (_GOOD[:-3], "cut short"),
        (_GOOD + "rubbish", "end of the file"),
        (_GOOD.replace("version: 1", "version: 2"), "version: 1"),
        (_GOOD + _GOOD, "2 faces"),
    ],
)
def test_broken_pts_names_file_and_cause(text: str, message: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        parse_pts(text, "face.pts")
    _one_line(caught, "face.pts", message)


def test_binary_missing_and_oversized_pts(tmp_path: Path) -> None:
    path = tmp_path / "a.pts"
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_pts(path)
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(AnnotationError, match="binary"):
        read_pts(path)
    path.write_bytes(b" " * 2_000_000)
    with pytest.raises(AnnotationError, match="too many"):
        read_pts(path)


# 300-W


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
    _one_line(caught, file, message)


def test_the_box_of_a_manifest_holds_marked_points_only(root: Path, make_face: Any) -> None:
    """It cuts the crop out and may divide the error; a point that is not marked lies anywhere, often at (0, 0)."""
    points = make_face("a", 51)
    points[0] = 0
    face = {
        "name": "a", "image": "a.png", "points": {"inner51": points.tolist()}, "known": {"inner51": [0] + [1] * 50},
    }  # fmt: skip
    (root / FILE_NAME).write_text(json.dumps({"format": FORMAT, "faces": [face]}))
    (record,) = read_faces("manifest", root)
    assert record.boxes["gt"] == box_of_points(points[1:])


def test_a_format_can_be_registered(root: Path, make_face: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.data import readers

    monkeypatch.setattr(readers, "_FORMATS", formats := dict(FORMATS))
    monkeypatch.setattr(readers, "FORMATS", formats)
    make_face("afw/a")

    @with_own_scheme
    def read_custom(folder: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
        return read_faces("300w", folder, subsets)

    assert register_format("custom", read_custom) is read_custom
    assert [record.name for record in read_faces("custom", root, scheme="inner51")] == ["afw/a"]
    with pytest.raises(ConfigError, match="data format '300w' is registered already; choose another name"):
        register_format("300w", read_custom)


def test_unknown_format_folder_and_subset(root: Path, make_face: Any) -> None:
    with pytest.raises(ConfigError, match="did you mean '300w'"):
        read_faces("300-w", root)
    for format in FORMATS:
        with pytest.raises(AnnotationError, match="no such folder"):
            read_faces(format, root / "nowhere")
        with pytest.raises(AnnotationError, match="empty"):
            read_faces(format, root)
    (root / "notes.txt").touch()
    with pytest.raises(AnnotationError, match=r"no \.pts file"):
        read_faces("300w", root)
    make_face("helen/testset/1_1")
    for subset in ("helen/tests", "../faces", "helen/testset/1"):
        with pytest.raises(AnnotationError, match="helen/testset"):
            read_faces("300w", root, [subset])


def test_subsets_are_joined_by_plus() -> None:
    assert parse_subsets("helen/testset + lfpw/testset/") == ("helen/testset", "lfpw/testset")
    assert parse_subsets(None) is parse_subsets("") is parse_subsets("all") is None
    with pytest.raises(ConfigError, match="empty part"):
        parse_subsets("afw++ibug")


# manifest


def _manifest(root: Path, **changes: Any) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    (root / "images").mkdir(exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(root / "images/0.jpg")
    ibug = rng.uniform(10, 50, (68, 2)).round(3)
    face = {
        "name": "train/0",
        "image": "images/0.jpg",
        "points": {"ibug68": ibug.tolist(), "wflw98": rng.uniform(10, 50, (98, 2)).round(3).tolist()},
        "visible": {"ibug68": [0] + [1] * 67},
        "boxes": {"gt": [10, 11, 50, 51]},
        "group": "0",
        "subset": "train",
    }
    faces = [{**face, **changes}, {**face, "name": "val/0", "subset": "val", "visible": {}, "boxes": {}}]
    (root / FILE_NAME).write_text(json.dumps({"format": FORMAT, "faces": faces}))
    return faces


def test_manifest_gives_what_it_holds(root: Path) -> None:
    faces = _manifest(root)
    first, second = read_faces("manifest", root)
    np.testing.assert_allclose(first.landmarks, faces[0]["points"]["ibug68"], atol=1e-5)
    assert (first.scheme, first.group, first.subset, first.boxes["gt"]) == ("ibug68", "0", "train", Box(10, 11, 50, 51))
    assert first.visible.tolist() == [False] + [True] * 67
    np.testing.assert_allclose(second.boxes["gt"], box_of_points(second.landmarks), atol=1e-4)
    assert second.visible.all()


def test_manifest_prefers_exact_points_and_converts_the_rest(root: Path) -> None:
    faces = _manifest(root)
    wflw = read_faces("manifest", root, ["train"], scheme="wflw98")
    inner = read_faces("manifest", root, ["train"], scheme="inner51")
    np.testing.assert_allclose(wflw[0].landmarks, faces[0]["points"]["wflw98"], atol=1e-5)
    np.testing.assert_allclose(inner[0].landmarks, faces[0]["points"]["ibug68"][17:], atol=1e-5)
    assert wflw[0].boxes == inner[0].boxes, "the crop must not depend on the scheme"


def test_a_scheme_of_ones_own_lies_beside_the_manifest(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever path it is asked by, it is the same scheme and keeps the name asked by."""
    text = "name: two\ntitle: two points\nn_points: 2\nflip: [[0, 1]]\ngroups: {eyes: 0-1}\nedges: []\n"
    (root / "two.yaml").write_text(text)
    _manifest(root, points={"ibug68": [[10.0 + i % 9, 11.0 + i // 9] for i in range(68)], "two.yaml": [[1, 2], [3, 4]]})
    monkeypatch.chdir(root)
    for path in (str(root / "two.yaml"), "two.yaml", "./two.yaml"):
        record = read_faces("manifest", root, ["train"], scheme=path)[0]
        assert (record.scheme, record.landmarks.tolist()) == (path, [[1, 2], [3, 4]])
    _manifest(root, points={"two.yaml": [[10, 11], [30, 41]]}, visible={"two.yaml": [1, 0]})
    alone = read_faces("manifest", root, ["train"])[0]
    assert (alone.scheme, alone.visible.tolist()) == (str(root / "two.yaml"), [True, False])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": {"ibug68": [[1, 2]]}}, "1 points"),
        ({"points": {"ibug68": [[float("nan"), 2]] * 68}}, "nan"),
        ({"points": {"ibug86": [[1, 2]]}}, "ibug68"),
        ({"points": {}}, "not a face"),
        ({"points": None}, "not a face"),
        ({"visible": {"ibug68": [1, 0]}}, "2 visibility flags"),
        ({"boxes": {"gt": [1, 2, 3]}}, "not a face"),
        ({"boxes": {"gt": [90, 90, 99, 99]}}, "outside the 64x64 photo"),
        ({"image": "../../secret.jpg"}, "outside"),
        ({"image": "images/1.jpg"}, "no such image"),
        ({"name": "val/0"}, "2 faces are called"),
    ],
)
def test_bad_manifest_faces_are_one_line(root: Path, changes: dict[str, Any], message: str) -> None:
    _manifest(root, **changes)
    with pytest.raises(DistillError) as caught:
        read_faces("manifest", root)
    _one_line(caught, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [("<html>", "not JSON"), ("[]", "format is 'list'"), ('{"format": "coco"}', "'coco'"), ("[" * 9999, "not JSON")],
)
def test_what_is_no_manifest_is_named(root: Path, content: str, message: str) -> None:
    (root / FILE_NAME).write_text(content)
    with pytest.raises(AnnotationError, match=message):
        read_faces("manifest", root)


def test_manifest_lists_its_subsets(root: Path) -> None:
    _manifest(root)
    with pytest.raises(AnnotationError, match=re.escape("did you mean 'train'? valid: train, val")):
        read_faces("manifest", root, ["trian"])


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["name", "image", "points", "visible", "boxes", "group", "subset"]), _json)
def test_mutated_manifest_raises_nothing_but_our_errors(root: Path, key: str, value: Any) -> None:
    _manifest(root, **{key: value})
    with suppress(DistillError):
        assert read_faces("manifest", root)


# real faces


def test_real_300w_is_complete(real_300w: Path) -> None:
    test = read_faces("300w", real_300w, parse_subsets("helen/testset+lfpw/testset"), scheme="inner51")
    train = read_faces("300w", real_300w, parse_subsets("helen/trainset+lfpw/trainset"))
    assert (len(test), len(train)) == (554, 1345)
    assert all({"gt", "dataset"} == set(record.boxes) for record in test + train)
    # The official tight boxes and our points must agree on where pixel 0 is.
    assert max(np.abs(np.subtract(r.boxes["gt"], box_of_points(r.landmarks))).max() for r in train) < 0.01
