"""WFLW, COFW, AFLW, LaPa, COCO and the `.pts` layouts: exact both ways, counted right, one line when broken."""

import json
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.data.readers import FORMATS, read_faces
from distill.data.readers.aflw import parse_aflw, write_aflw
from distill.data.readers.cofw import photo_path
from distill.data.readers.cofw_photos import main, unpack_cofw
from distill.data.readers.lapa import format_lapa, parse_lapa
from distill.data.readers.manifest import format_manifest
from distill.data.readers.tables import photo_within, read_csv_rows, to_number
from distill.data.readers.wflw import ATTRIBUTES, LISTS, PHOTOS, WflwFace, format_wflw, parse_wflw
from distill.errors import AnnotationError, ConfigError, DistillError, ImageError
from distill.geometry import Box, box_of_points
from tests.support.reader_cases import (
    CASES,
    SIZE,
    Case,
    aflw_faces,
    coco_records,
    make_aflw,
    make_coco,
    make_cofw,
    make_lapa,
    make_manifest,
    make_pts,
    make_wflw,
    mutations,
    random_points,
    wflw_faces,
    write_cofw,
    write_photo,
)

_points = arrays(
    np.float32,
    st.tuples(st.integers(0, 110), st.just(2)),
    elements=st.floats(-9000, 9000, width=32, allow_nan=False, allow_infinity=False),
)


@pytest.fixture(params=CASES, ids=lambda case: case.format)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


# every format


def _read_all_mutations(case: Case, root: Path, count: int, seed: int) -> Counter[str]:
    path, outcomes = case.make(root), Counter[str]()
    for content in mutations(path.read_bytes(), count, seed):
        path.write_bytes(content)
        try:
            for record in read_faces(case.format, root):
                assert np.isfinite(record.landmarks).all()
            outcomes["read"] += 1
        except DistillError as error:
            outcomes["refused"] += 1
            bad = not isinstance(error, AnnotationError | ConfigError | ImageError)
            outcomes["long"] += bad or "\n" in str(error) or len(str(error)) > 500
    assert not outcomes["long"]
    return outcomes


@pytest.mark.filterwarnings("error")
def test_damaged_files_raise_nothing_but_one_line(case: Case, root: Path) -> None:
    outcomes = _read_all_mutations(case, root, 150, seed=0)
    assert min(outcomes["read"], outcomes["refused"]) > 5, f"the damage tests nothing: {outcomes}"


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_a_thousand_damaged_files(case: Case, root: Path) -> None:
    outcomes = _read_all_mutations(case, root, 1000, seed=1)
    assert outcomes["read"] + outcomes["refused"] == 1000


def test_unknown_subsets_are_named(case: Case, root: Path) -> None:
    case.make(root)
    with pytest.raises(AnnotationError, match="no subset 'tset'"):
        read_faces(case.format, root, ["tset"])


def test_files_of_other_formats_are_refused(case: Case, root: Path) -> None:
    path = case.make(root)
    for content in (b"", b"<html>404</html>", b"\xff\xd8\xff\xe0 a photo", b"[]", b"{}", b"null"):
        path.write_bytes(content)
        with pytest.raises(AnnotationError) as caught:
            read_faces(case.format, root)
        assert path.name in str(caught.value)


def test_missing_photos_are_named(case: Case, root: Path) -> None:
    case.make(root)
    for photo in sorted(path for path in root.rglob("*") if path.suffix in (".jpg", ".png")):
        photo.unlink()
    with pytest.raises((AnnotationError, ImageError), match=r"\.jpg|\.png|photo"):
        read_faces(case.format, root)


@pytest.mark.parametrize("name", ["wflw", "lapa", "coco", "aflw"])
def test_photos_are_not_opened(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A list of 10,000 faces would take minutes on a network disk.
    next(case for case in CASES if case.format == name).make(root)
    for photo in root.rglob("*.jpg"):
        photo.write_bytes(b"not looked at")
    assert read_faces(name, root)


# WFLW


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


def test_wflw_reads_ten_thousand_faces_in_seconds(root: Path) -> None:
    make_wflw(root)
    line = (root / LISTS["test"]).read_text().splitlines()[0]
    (root / LISTS["test"]).write_text(f"{line}\n" * 10_000)
    started = time.process_time()
    assert len(read_faces("wflw", root, ["test"])) == 10_000
    assert time.process_time() - started < 30


def test_wflw_paths_stay_in_the_folder(root: Path) -> None:
    make_wflw(root)
    write_photo(root / "secret.jpg")
    text = (root / LISTS["test"]).read_text().replace("1--Handshaking/b.jpg", "../secret.jpg")
    (root / LISTS["test"]).write_text(text)
    with pytest.raises(AnnotationError, match=r"face 3.*outside"):
        read_faces("wflw", root, ["test"])
    assert not (root / PHOTOS / "secret.jpg").exists()


# LaPa and JD


@given(_points)
def test_lapa_round_trip(points: np.ndarray) -> None:
    np.testing.assert_array_equal(parse_lapa(format_lapa(points), "a"), points)


@given(st.text())
def test_any_text_is_no_lapa_file(text: str) -> None:
    with suppress(AnnotationError):
        assert len(parse_lapa(text, "a")) == int(text.split()[0])


@pytest.mark.slow
@settings(max_examples=10_000)
@given(st.one_of(st.text(), st.from_regex(r"[0-9]{1,3}\n(-?[0-9.e]{1,6} [0-9nai.]{1,5}\n){0,4}")))
def test_ten_thousand_texts(text: str) -> None:
    for parse in (lambda: parse_lapa(text, "a"), lambda: parse_wflw(text, Path("a"))):
        with suppress(AnnotationError):
            parse()


def test_lapa_subsets_and_groups(root: Path) -> None:
    make_lapa(root)
    assert [record.name for record in read_faces("lapa", root)] == ["test/11_0", "train/10_0", "train/10_1"]
    first, second = read_faces("lapa", root, ["train"])
    assert first.group == second.group == "10"
    assert first.scheme == "lapa106"
    np.testing.assert_array_equal(first.landmarks, random_points(106, 0))


def test_jd_is_told_by_its_folders_and_becomes_lapa(root: Path) -> None:
    path = root / "AFW" / "landmark" / "x.jpg.txt"
    path.parent.mkdir(parents=True)
    path.write_text(format_lapa(random_points(106)))
    write_photo(root / "AFW" / "picture" / "x.jpg")
    (face,) = read_faces("lapa", root, ["AFW"])
    (same,) = read_faces("lapa", root, scheme="lapa106")
    assert (face.scheme, same.scheme) == ("jd106", "lapa106")
    assert not np.array_equal(face.landmarks, same.landmarks)
    np.testing.assert_array_equal(np.sort(face.landmarks, 0), np.sort(same.landmarks, 0))


# COCO


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


# AFLW


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


# COFW


def test_cofw_round_trip(root: Path) -> None:
    pytest.importorskip("h5py")
    make_cofw(root)
    first, second = read_faces("cofw", root, ["train"])
    np.testing.assert_allclose(first.landmarks, random_points(29, 0), atol=1e-5)
    assert first.visible.all()
    assert np.flatnonzero(~second.visible).tolist() == [5, 6, 7, 8]
    assert second.known.all(), "an occluded point has a position"
    assert first.boxes["dataset"] == Box(2, 3, 72, 63)
    for index, record in enumerate((first, second)):
        shape = (3, *SIZE) if index == 0 else SIZE
        pixels = np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8).T
        unpacked = cv2.imread(str(record.image))[..., ::-1]
        np.testing.assert_array_equal(unpacked, pixels if index == 0 else np.repeat(pixels[..., None], 3, 2))


def test_cofw_says_how_to_unpack_and_resumes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("h5py")
    make_cofw(root)
    photo_path(root, "train", 1).unlink()
    with pytest.raises(AnnotationError, match=r"python -m distill.data.readers.cofw_photos"):
        read_faces("cofw", root)
    kept = photo_path(root, "train", 0).stat().st_mtime_ns
    assert main([str(root)]) == 0
    assert photo_path(root, "train", 0).stat().st_mtime_ns == kept
    assert "2 photos" in capsys.readouterr().out
    assert len(read_faces("cofw", root)) == 2
    assert main([str(root / "nowhere")]) == 2
    assert main([]) == 2


def test_cofw_points_and_photos_must_match(root: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = make_cofw(root)
    with h5py.File(path, "a") as file:
        del file["bboxesTr"]
        file.create_dataset("bboxesTr", data=np.ones((4, 3)))
    with pytest.raises(AnnotationError, match="2 faces, 3 boxes and 2 photos"):
        read_faces("cofw", root)
    write_cofw(path, "T", np.zeros((1, 29, 2)), np.zeros((1, 29), bool))
    with pytest.raises(AnnotationError, match="IsTr"):
        unpack_cofw(root)


# .pts layouts


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


# our own manifest


def test_manifest_round_trip(root: Path) -> None:
    make_manifest(root)
    for record, again in zip(coco_records(root), read_faces("manifest", root), strict=True):
        np.testing.assert_array_equal(record.landmarks, again.landmarks)
        np.testing.assert_array_equal(record.known, again.known)
        assert (record.name, record.boxes, record.labels) == (again.name, again.boxes, again.labels)
    text = format_manifest(coco_records(root), root)
    with_more = text.replace('"group"', '"labels":"weak","attributes":{"yaw":12.5,"blur":true},"group"')
    (root / "faces.json").write_text(with_more)
    first = read_faces("manifest", root)[0]
    assert (first.labels, first.attributes) == ("weak", {"yaw": 12.5, "blur": True})
    (root / "faces.json").write_text(with_more.replace('"weak"', '"maybe"'))
    with pytest.raises(AnnotationError, match="hand, weak, none"):
        read_faces("manifest", root)


# shared pieces


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,"x\ny"\n')
    assert [row for _, row in read_csv_rows(path, ["a", "b"])] == [{"a": "1", "b": "x\ny"}]
    for text, message in (("a\n1\n", "no column 'b'"), ("a,b\n1\n", "not 2 cells"), ("a,b\n1,2,3\n", "not 2 cells")):
        path.write_text(text)
        with pytest.raises(AnnotationError, match=message):
            list(read_csv_rows(path, ["a", "b"]))
    for text in ("", "x", "nan", "-inf", "1e999"):
        with pytest.raises(AnnotationError, match="width"):
            to_number(text, "width", path)
    for name in ("../a.csv", "/etc/hostname", "a\0b", "", "x" * 5000, "nothere.jpg"):
        with pytest.raises(AnnotationError):
            photo_within(tmp_path / "faces", name, path)


# real data


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
        records = read_faces(name, real_data / folder, [subset])
        assert len(records) == wanted, subset
        assert {record.scheme for record in records} == {scheme}
    if count is not None:
        assert len(read_faces(name, real_data / folder, list(subsets))) == count


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


def test_every_format_is_in_the_registry() -> None:
    assert {case.format for case in CASES} | {"menpo", "ivsfd"} <= set(FORMATS)
