"""CSV of landmarks: round trips, conventions and error messages."""

import csv
from pathlib import Path

import numpy as np
import pytest

from distill.data.readers import read_faces
from distill.data.readers.csv_points import CsvFace, read_csv_faces
from distill.errors import AnnotationError, ConfigError, DistillError
from distill.geometry import Box
from tests.support.reader_cases import write_photo
from tests.support.reader_cases_more import csv_faces, make_csv


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
    with pytest.raises(ConfigError, match=r"2 points fit no built-in scheme; .*; or add scheme\.yaml to the folder"):
        read_faces("csv", root)
    text = "name: two\ntitle: two points\nn_points: 2\nflip: [[0, 1]]\ngroups: {eyes: 0-1}\nedges: []\n"
    (root / "scheme.yaml").write_text(text)
    monkeypatch.chdir(root)
    # By its declared name, whatever path it is loaded by, or a model and its data would not fit elsewhere.
    for scheme in (None, "scheme.yaml", str(root / "scheme.yaml"), "two"):
        (record,) = read_faces("csv", root, scheme=scheme)
        assert (record.scheme, record.landmarks.tolist()) == ("two", [[10, 11], [50, 60]])


@pytest.mark.parametrize("separator", [";", "\t"])
def test_csv_of_a_spreadsheet_gives_the_same_faces(root: Path, separator: str) -> None:
    path = make_csv(root)
    wanted = read_csv_faces(path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        for row in rows:
            writer.writerow([cell.replace(".", ",") if _is_number(cell) else cell for cell in row])
            writer.writerow([])
            writer.writerow([""] * len(row))
    for read, face in zip(read_csv_faces(path), wanted, strict=True):
        _same(read, face)


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace("-", "", 1).isdecimal()


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("image,x0,y0", "a.jpg,1,", "not a number"),
        ("image,x0,y0", "a.jpg,1", "cells"),
        ("image,u,v", "a.jpg,1,2", "no columns x0"),
        ("image,x0,y0", "../a.jpg,1,2", "outside"),
        ("image,x0,y0", ",1,2", "without the name of its photo"),
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
