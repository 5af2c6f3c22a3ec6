"""dlib XML, MUCT, Udacity, FaceSynthetics, webmorph, WIDER, plain CSV: exact both ways, one line when broken."""

import importlib.util
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.data.readers import read_faces
from distill.data.readers.csv_points import CsvFace, read_csv_faces
from distill.data.readers.dlib_xml import XmlFace, XmlImage, format_dlib_xml, parse_dlib_xml
from distill.data.readers.face_synthetics import format_ldmks, parse_ldmks
from distill.data.readers.muct import CSV, format_muct, parse_muct
from distill.data.readers.udacity import format_frames, read_frames
from distill.data.readers.webmorph import Curve, Template, format_tem, parse_tem
from distill.data.readers.wider import WiderFace, format_label, parse_label
from distill.errors import AnnotationError, ConfigError, DistillError, ImageError
from distill.geometry import Box, box_of_points
from tests.support.reader_cases import Case, mutations, random_points, write_photo
from tests.support.reader_cases_more import CASES, csv_faces, make_csv, make_dlib, make_muct, make_webmorph, make_wider

_xml = pytest.mark.skipif(not importlib.util.find_spec("defusedxml"), reason="defusedxml is not installed")
_coordinate = st.floats(-9000, 9000, allow_nan=False)
_SOURCE = Path("a")


def _points(k: int, **options: Any) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    return arrays(np.float64, (k, 2), elements=_coordinate, **options)


@pytest.fixture(
    params=[pytest.param(c, marks=_xml if c.format == "dlib" else ()) for c in CASES], ids=lambda c: c.format
)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


# every format


@pytest.mark.filterwarnings("error")
def test_damaged_files_raise_nothing_but_one_line(case: Case, root: Path) -> None:
    path, outcomes = case.make(root), Counter[str]()
    for content in mutations(path.read_bytes(), 150):
        path.write_bytes(content)
        try:
            assert all(np.isfinite(record.landmarks).all() for record in read_faces(case.format, root))
            outcomes["read"] += 1
        except (AnnotationError, ConfigError, ImageError) as error:
            outcomes["refused"] += 1
            outcomes["long"] += "\n" in str(error) or len(str(error)) > 500
    assert not outcomes["long"]
    assert min(outcomes["read"], outcomes["refused"]) > 5, f"the damage tests nothing: {outcomes}"


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
    with pytest.raises((AnnotationError, ImageError), match=r"photo|\.jpg"):
        read_faces(case.format, root)


def test_names_are_unique_and_photos_exist(case: Case, root: Path) -> None:
    case.make(root)
    records = read_faces(case.format, root)
    assert len({record.name for record in records}) == len(records) >= 2
    assert {record.scheme for record in records} == {case.scheme}
    assert all(record.image.is_file() for record in records)


# round trips: what is written is read back to the last bit


@given(arrays(np.float32, st.tuples(st.integers(1, 200), st.just(2)), elements=st.floats(-9000, 9000, width=32)))
def test_ldmks_round_trip(points: np.ndarray[Any, Any]) -> None:
    assert np.array_equal(parse_ldmks(format_ldmks(points), "a"), points)


@given(
    arrays(np.float32, (9, 2), elements=st.floats(-9000, 9000, width=32)),
    st.lists(
        st.builds(Curve, st.booleans(), st.lists(st.integers(0, 8), min_size=1, max_size=5).map(tuple)), max_size=4
    ),
    st.none() | st.integers(0, 99),
)
def test_tem_round_trip(points: np.ndarray[Any, Any], curves: list[Curve], last: int | None) -> None:
    read = parse_tem(format_tem(Template(points, tuple(curves), last)), "a")
    assert np.array_equal(read.points, points)
    assert (read.curves, read.last) == (tuple(curves), last)


@settings(max_examples=50)
@given(_points(76), st.sets(st.integers(0, 75), max_size=9))
def test_muct_round_trip(points: np.ndarray[Any, Any], missing: set[int]) -> None:
    points[sorted(missing)] = np.nan
    points[(points == 0).all(1)] = np.nan  # the format's own mark
    ((name, read),) = parse_muct(format_muct({"i000qa-fn": points}), _SOURCE)
    assert name == "i000qa-fn"
    assert np.array_equal(read, points, equal_nan=True)


def test_udacity_round_trip(tmp_path: Path) -> None:
    rows = {"a, b_00.jpg": random_points(68) * 1.1, "c_01t.jpg": random_points(68, 1).astype(float)}
    (tmp_path / "a.csv").write_text(format_frames(rows))
    for (name, read), (wanted, points) in zip(read_frames(tmp_path / "a.csv"), rows.items(), strict=True):
        assert name == wanted
        assert np.array_equal(read, points)


@_xml
@settings(max_examples=50)
@given(
    st.dictionaries(st.integers(0, 99), st.tuples(_coordinate, _coordinate), max_size=6),
    st.text("a&<'\"é /", min_size=1),
)
def test_xml_round_trip(parts: dict[int, tuple[float, float]], file: str) -> None:
    images = [XmlImage(file, (XmlFace((0.1, 2.0, 3.0, 4.5), parts),))]
    assert parse_dlib_xml(format_dlib_xml(images), _SOURCE) == images


@given(_points(5), st.lists(st.sampled_from([-1, 0, 1]), min_size=5, max_size=5), st.floats(0, 1))
def test_wider_round_trip(points: np.ndarray[Any, Any], flags: list[int], sharpness: float) -> None:
    points[np.array(flags) < 0] = np.nan
    face = WiderFace((1.5, 2.0, 30.0, 40.25), points, np.array(flags) == 0, sharpness)
    bare = WiderFace((1.0, 2.0, 3.0, 4.0), np.full((5, 2), np.nan), np.zeros(5, bool), None)
    photos = dict(parse_label(format_label([("a b/c.jpg", [face, bare]), ("empty.jpg", [])]), _SOURCE))
    assert list(photos) == ["a b/c.jpg", "empty.jpg"]
    for read, wanted in zip(photos["a b/c.jpg"], (face, bare), strict=True):
        assert np.array_equal(read.points, wanted.points, equal_nan=True)
        assert read.visible.tolist() == wanted.visible.tolist()
        assert (read.box, read.sharpness) == (wanted.box, wanted.sharpness)


def _same(read: CsvFace, wanted: CsvFace) -> None:
    assert np.array_equal(read.points, wanted.points, equal_nan=True)
    assert read.visible.tolist() == wanted.visible.tolist()
    assert (read.image, read.box, read.subset, read.group) == (wanted.image, wanted.box, wanted.subset, wanted.group)


def test_csv_round_trip_and_what_it_says(root: Path) -> None:
    path = make_csv(root)
    for read, wanted in zip(read_csv_faces(path), csv_faces(), strict=True):
        _same(read, wanted)
    first, second, third = read_faces("csv", root)
    assert [r.name for r in (first, second, third)] == ["a, b.jpg#0", "a, b.jpg#1", "sub/c.jpg"]
    assert (first.known.sum(), first.visible.sum(), first.group) == (67, 66, second.group)
    assert (third.subset, third.group, third.boxes["dataset"]) == ("test", "Ann", Box(1.5, 2.5, 80.0, 70.25))
    assert [r.name for r in read_faces("csv", root, ["train"])] == [first.name, second.name]


def test_long_csv_gives_the_same_faces_as_wide(root: Path) -> None:
    path = make_csv(root)
    wide = read_faces("csv", root)
    lines = ["image,face,point,x,y,visible,subset,group,box_x0,box_y0,box_x1,box_y1"]
    for number, face in enumerate(csv_faces()):
        about = f"{face.subset},{face.group}," + (",".join(map(str, face.box)) if face.box else ",,,")
        for i, ((x, y), is_visible) in enumerate(zip(face.points, face.visible, strict=True)):
            cells = "," if np.isnan(x) else f"{float(x)!r},{float(y)!r}"
            lines.append(f'"{face.image}",{number},{i},{cells},{int(is_visible)},{about}')
    path.write_text("\n".join(lines) + "\n")
    for actual, other in zip(read_faces("csv", root), wide, strict=True):
        assert np.array_equal(actual.landmarks, other.landmarks)
        assert np.array_equal(actual.known, other.known)
        assert np.array_equal(actual.visible, other.visible)
        assert (actual.name, actual.group, actual.subset, actual.boxes) == (
            other.name,
            other.group,
            other.subset,
            other.boxes,
        )


def test_csv_of_ones_own_points_needs_a_scheme(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photo(root / "a.jpg")
    (root / "custom.csv").write_text("image,x0,y0,x1,y1\na.jpg,10,11,50,60\n")
    with pytest.raises(ConfigError, match=r"2 points fit no single scheme; add scheme\.yaml"):
        read_faces("csv", root)
    text = "name: two\ntitle: two points\nn_points: 2\nflip: [[0, 1]]\ngroups: {eyes: 0-1}\nedges: []\n"
    (root / "scheme.yaml").write_text(text)
    monkeypatch.chdir(root)
    (record,) = read_faces("csv", root)
    assert record.scheme == str(root / "scheme.yaml")
    # Asked for by another path to the same file, it keeps that name, or a model and its data would not fit.
    (record,) = read_faces("csv", root, scheme="scheme.yaml")
    assert (record.scheme, record.landmarks.tolist()) == ("scheme.yaml", [[10, 11], [50, 60]])


# what each format means


@_xml
def test_dlib_boxes_cover_whole_pixels_and_missing_parts_are_unknown(root: Path) -> None:
    make_dlib(root)
    full, half, bare = read_faces("dlib", root)
    assert full.boxes == {"dataset": Box(4.5, 6.0, 74.5, 66.0), "gt": box_of_points(full.landmarks)}
    assert (full.known.all(), int(half.known.sum()), half.known[5]) == (True, 67, False)
    assert (bare.labels, set(bare.boxes)) == ("none", {"dataset"})
    assert full.group == half.group != bare.group


@_xml
def test_dlib_lists_of_boxes_are_passed_over_beside_lists_of_points(root: Path) -> None:
    path = make_dlib(root)
    bare = [XmlImage("c.jpg", (XmlFace((5, 6, 70, 60), {}),))]
    (root / "boxes.xml").write_bytes(format_dlib_xml(bare))
    assert {record.subset for record in read_faces("dlib", root)} == {"train"}
    assert len(read_faces("dlib", root, ["boxes"])) == 1
    path.unlink()
    assert len(read_faces("dlib", root)) == 1


@_xml
@pytest.mark.parametrize(
    "attack",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><dataset><images><image file="&b;"/></images></dataset>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><dataset/>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    ],
)
def test_xml_with_entities_is_refused(attack: str) -> None:
    with pytest.raises(AnnotationError, match="document type or entities"):
        parse_dlib_xml(attack.encode(), _SOURCE)


def test_muct_points_that_are_not_there_are_unknown_and_persons_are_groups(root: Path) -> None:
    make_muct(root)
    a, b, other = read_faces("muct", root)
    assert a.known.all()
    assert np.flatnonzero(~b.known).tolist() == [14]
    assert a.group == b.group == "000" != other.group
    assert (a.subset, b.subset, other.attributes["glasses"], other.attributes["sex"]) == ("a", "b", True, "m")
    assert [r.name for r in read_faces("muct", root, ["b"])] == [b.name]


def test_muct_rows_of_68_points_leave_the_others_unknown(root: Path) -> None:
    path = make_muct(root)
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(",".join(row.split(",")[:138]) for row in rows)]))
    assert all(np.flatnonzero(~r.known)[-8:].tolist() == list(range(68, 76)) for r in read_faces("muct", root))
    path.write_text("\n".join([header, rows[0], ",".join(rows[1].split(",")[:138])]))
    with pytest.raises(AnnotationError, match="line 3 has 138 of 154"):
        read_faces("muct", root)


def test_muct_may_miss_a_camera_but_not_a_photo(root: Path) -> None:
    make_muct(root)
    (root / "jpg" / "i000qb-fn.jpg").unlink()
    assert {record.subset for record in read_faces("muct", root)} == {"a"}
    (root / "jpg" / "i001ra-mg.jpg").unlink()
    with pytest.raises(AnnotationError, match="no photo i001ra-mg"):
        read_faces("muct", root)


def test_muct_identical_siblings_are_one_group(root: Path) -> None:
    rows = {name: random_points(76, i).astype(float) for i, name in enumerate(("i247qa-fn", "i248qa-fn"))}
    for name in rows:
        write_photo(root / "jpg" / f"{name}.jpg")
    (root / CSV).parent.mkdir()
    (root / CSV).write_text(format_muct(rows))
    assert len({record.group for record in read_faces("muct", root)}) == 1


def test_webmorph_photos_without_points_are_no_faces(root: Path) -> None:
    make_webmorph(root)
    write_photo(root / "rainbow" / "x.jpg")
    assert [r.name for r in read_faces("webmorph", root)] == ["zoom/a", "zoom/b"]


def test_wider_faces_keep_their_boxes_and_flags(root: Path) -> None:
    make_wider(root)
    full, four, none, bare = read_faces("wider", root)
    assert (full.visible.tolist(), full.labels) == ([True, False, True, True, True], "hand")
    assert (four.known.tolist(), none.labels, bare.labels) == ([True] * 4 + [False], "none", "none")
    assert full.boxes == {"gt": Box(9.5, 11.5, 69.5, 67.0)}
    assert full.attributes == {"sharpness": 0.82}
    assert full.group == four.group != none.group


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_tem, "2\n1 2\n3 x\n0\n", "not a number"),
        (parse_tem, "2\n1 2\n3 4\n1\n0\n2\n0 2\n", "from 0 to 1"),
        (parse_tem, "2\n1 2\n3 4\n0\n1\n2\n", "end of the file"),
        (parse_tem, "2\n1 2\n", "cut short"),
        (parse_tem, "<html>", "web page"),
        (parse_ldmks, "1 2 3\n", "line 1"),
        (parse_ldmks, "1 inf\n", "finite"),
        (parse_ldmks, "\n", "no points"),
        (parse_label, "1 2 3 4\n", "before any"),
        (parse_label, "# a.jpg\n1 2 3\n", "3 numbers"),
        (parse_label, "# a.jpg\n1 2 3 4 " + "5 6 2 " * 5 + "0.5", "flag"),
        (parse_muct, "name,x\n", "first line"),
    ],
)
def test_broken_text_names_file_and_cause(parse: Callable[..., Any], text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        list(parse(text, Path("face.txt")))
    assert "face.txt" in str(caught.value)


@given(st.text())
def test_any_text_raises_nothing_but_annotation_error(text: str) -> None:
    for parse in (parse_tem, parse_ldmks, parse_label, parse_muct):
        with suppress(AnnotationError):
            list(parse(text, _SOURCE))  # type: ignore[operator]


@_xml
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_as_xml_raise_nothing_but_annotation_error(data: bytes) -> None:
    with pytest.raises(AnnotationError):
        parse_dlib_xml(data, _SOURCE)


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("image,x0,y0", "a.jpg,1,", "not a number"),
        ("image,x0,y0", "a.jpg,1", "cells"),
        ("image,u,v", "a.jpg,1,2", "no columns x0"),
        ("image,x0,y0", "../a.jpg,1,2", "outside"),
        ("image,x0,y0,visible0", "a.jpg,1,2,yes", "visible is"),
        ("image,point,x,y", "a.jpg,-1,1,2", "number the points"),
        ("photo,x0,y0", "a.jpg,1,2", "no column 'image'"),
    ],
)
def test_broken_csv_is_one_line(root: Path, header: str, row: str, message: str) -> None:
    write_photo(root / "a.jpg")
    (root / "faces.csv").write_text(f"{header}\n{row}\n")
    (root / "scheme.yaml").write_text("name: one\ntitle: t\nn_points: 1\nflip: []\ngroups: {a: [0]}\nedges: []\n")
    with pytest.raises(DistillError, match=message):
        read_faces("csv", root)


def test_csv_faces_of_one_long_file_need_numbers(root: Path) -> None:
    (root / "faces.csv").write_text("image,point,x,y\na.jpg,0,1,2\na.jpg,0,3,4\n")
    with pytest.raises(AnnotationError, match="occurs twice"):
        read_csv_faces(root / "faces.csv")


@pytest.mark.parametrize(
    ("format", "file", "text", "message"),
    [
        ("wider", "train/label.txt", "# a b.jpg\n1 2 0 0\n", "no face with a box"),
        pytest.param("dlib", "train.xml", "<a><image file='a b.jpg'/></a>", "no <box>", marks=_xml),
        pytest.param(
            "dlib",
            "train.xml",
            "<a><image file='a b.jpg'><box left='1' top='1' width='5' height='5' ignore='1'/></image></a>",
            "no <box>",
            marks=_xml,
        ),
    ],
)
def test_lists_without_a_single_face_are_refused(root: Path, format: str, file: str, text: str, message: str) -> None:
    """Fuzzing found that they came back as an empty list, which no caller expects."""
    write_photo(root / "train" / "images" / "a b.jpg")
    write_photo(root / "a b.jpg")
    (root / file).write_text(text)
    with pytest.raises(AnnotationError, match=message) as caught:
        read_faces(format, root)
    assert Path(file).name in str(caught.value)


# real faces


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
