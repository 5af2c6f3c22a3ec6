"""A face that cannot be read is a finding, and the others are checked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.data.check.check import CheckOptions, check_data
from distill.data.check.finding import Finding, Report
from distill.data.synthetic import write_faces
from distill.inference.overlay import write_image

FACES = 8


def _check(root: Path, format: str, scheme: str | None = None) -> Report:
    return check_data(format, root, scheme=scheme, options=CheckOptions(workers=1))[0]


def _errors(report: Report) -> list[tuple[str, str]]:
    return [(finding.file, finding.what) for finding in report.findings if finding.severity == "error"]


def _unused(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.check == "no annotation"]


@pytest.fixture
def manifest(tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    """A folder with a manifest that states no sizes, and its faces."""
    write_faces(tmp_path, FACES, seed=5, size=64)
    faces = json.loads((tmp_path / "faces.json").read_text())["faces"]
    for face in faces:
        face.pop("size", None)
    return tmp_path, faces


def _write(root: Path, faces: list[dict[str, Any]]) -> None:
    (root / "faces.json").write_text(json.dumps({"format": "distill-faces/1", "faces": faces}))


def test_a_missing_photo_of_a_manifest_is_one_finding(manifest: tuple[Path, list[dict[str, Any]]]) -> None:
    root, faces = manifest
    _write(root, faces)
    (root / faces[3]["image"]).unlink()
    report = _check(root, "manifest")
    assert report.subsets["all"].faces == FACES - 1
    ((file, what),) = _errors(report)
    assert file == faces[3]["name"]
    assert "no such image" in what
    assert faces[3]["image"] in what
    assert not _unused(report)


def test_faces_with_faults_are_named_and_their_photos_are_not_called_unused(
    manifest: tuple[Path, list[dict[str, Any]]],
) -> None:
    root, faces = manifest
    faces[1]["points"] = {"ibug68": [[1, 2]]}
    faces[2]["image"] = "../elsewhere.png"
    del faces[5]["points"]
    _write(root, faces)
    report = _check(root, "manifest")
    assert report.subsets["all"].faces == FACES - 3
    assert sorted(file for file, _ in _errors(report)) == sorted(faces[index]["name"] for index in (1, 2, 5))
    assert [finding.what for finding in _unused(report)] == ["1 photos have no face in this reading"], "of face 2"


def test_a_manifest_that_is_cut_short_says_nothing_of_photos_that_were_not_reached(
    manifest: tuple[Path, list[dict[str, Any]]],
) -> None:
    root, faces = manifest
    _write(root, faces)
    text = (root / "faces.json").read_text()
    (root / "faces.json").write_text(text[: len(text) // 2])
    report = _check(root, "manifest")
    assert (".", "reading stopped here") in _errors(report)
    assert not _unused(report)


def _csv_rows(folder: Path) -> list[str]:
    """Write four photos and return the lines of a CSV of their faces."""
    rows = ["image," + ",".join(f"x{k},y{k}" for k in range(5))]
    for index in range(4):
        write_image(folder / f"{index}.png", np.full((64, 64, 3), 50 * index, np.uint8))
        rows.append(f"{index}.png,10,10,50,10,30,30,15,50,{44 + index},50")
    return rows


@pytest.mark.parametrize("line", [2, 4])
@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ("low", "x of point 0 is 'low', not a number; fix it"),
        ("nan", "x of point 0 is 'nan', not a finite number; fix it"),
        ("", "x of point 0 is '', not a number; fix it"),
        ("1,2", "12 cells, not 11 cells as the header; fix it"),
    ],
)
def test_a_broken_line_of_a_csv_is_one_finding(tmp_path: Path, line: int, wrong: str, what: str) -> None:
    rows = _csv_rows(tmp_path)
    rows[line - 1] = rows[line - 1].replace(",10,", f",{wrong},", 1)
    (tmp_path / "train.csv").write_text("\n".join(rows))
    report = _check(tmp_path, "csv", "five")
    assert report.subsets["all"].faces == 3
    assert _errors(report) == [(f"train.csv line {line}", what)]
    assert not _unused(report)


@pytest.mark.parametrize(
    ("wrong", "files"),
    [
        ("low", [f"train.csv line {line}" for line in range(2, 6)]),
        ("1,2", ["train.csv line 2", "."]),  # then the header may be wrong
    ],
)
def test_a_csv_of_broken_lines_alone_has_no_faces(tmp_path: Path, wrong: str, files: list[str]) -> None:
    header, *rows = _csv_rows(tmp_path)
    (tmp_path / "train.csv").write_text("\n".join([header, *(row.replace(",10,", f",{wrong},", 1) for row in rows)]))
    report = _check(tmp_path, "csv", "five")
    assert [file for file, _ in _errors(report)] == files
    assert not report.subsets


def test_a_missing_photo_of_a_csv_is_one_finding(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("\n".join(_csv_rows(tmp_path)))
    (tmp_path / "2.png").unlink()
    report = _check(tmp_path, "csv", "five")
    assert report.subsets["all"].faces == 3
    assert _errors(report) == [("2.png", "train.csv: no photo 2.png; copy it there or remove the face")]
    assert not _unused(report)
