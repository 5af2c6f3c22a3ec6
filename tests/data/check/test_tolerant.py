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


def test_a_missing_photo_of_a_csv_is_one_finding(tmp_path: Path) -> None:
    rows = ["image," + ",".join(f"x{k},y{k}" for k in range(5))]
    for index in range(4):
        write_image(tmp_path / f"{index}.png", np.full((64, 64, 3), 50 * index, np.uint8))
        rows.append(f"{index}.png,10,10,50,10,30,30,15,50,{44 + index},50")
    (tmp_path / "train.csv").write_text("\n".join(rows))
    (tmp_path / "2.png").unlink()
    report = _check(tmp_path, "csv", "five")
    assert report.subsets["all"].faces == 3
    assert _errors(report) == [("2.png", "train.csv: no photo 2.png; copy it there or remove the face")]
    assert not _unused(report)
