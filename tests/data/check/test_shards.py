"""The check of shards finds what the check of files finds, without the faces as objects."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from distill.cli.data import run
from distill.data.check.check import CheckOptions
from distill.data.check.columns import count_subsets
from distill.data.check.finding import Finding
from distill.data.check.shards import check_shards
from distill.data.prepare import StoreSpec
from distill.data.records import FaceRecord, make_record
from distill.data.shards.faces import open_shards
from distill.data.shards.write import write_shards
from distill.data.synthetic import render_face
from distill.errors import ConfigError
from tests.support.damage import flip_byte

PER_SHARD = 5


@pytest.fixture
def faces(tmp_path: Path) -> list[FaceRecord]:
    """Twelve faces of one shape in smooth noise, the last three to test on; face 2 looks like face 10."""
    shape = render_face(3, 0, 96, 0.0).landmarks["ibug68"][17:]
    records = []
    for index in range(12):
        rng = np.random.default_rng(2 if index == 10 else index)
        photo = cv2.resize(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8), (96, 96), interpolation=cv2.INTER_CUBIC)
        path = tmp_path / f"{index}.jpg"
        cv2.imwrite(str(path), photo, [cv2.IMWRITE_JPEG_QUALITY, 95 - index])
        points = shape + np.random.default_rng(index).normal(0, 0.3, shape.shape)
        records.append(
            make_record(
                name=f"{index}", image=path, landmarks=points, scheme="inner51", source=path, group=f"{index}",
                subset="test" if index > 8 else "train",
            )
        )  # fmt: skip
    return records


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[Finding]]:
    def of(faces: list[FaceRecord], damage: Callable[[Path], object] | None = None, **options: Any) -> list[Finding]:
        root = tmp_path / "shards"
        write_shards(root, faces, "inner51", PER_SHARD, StoreSpec(96, 1.5), {"source": "csv", "preset": None})
        if damage is not None:
            damage(root)
        chosen = CheckOptions(**{"workers": 1, **options})
        return list(check_shards(root, chosen, lambda name, total: lambda: None).findings)

    return of


def _about(findings: list[Finding], check: str) -> list[tuple[str, str]]:
    return [(finding.severity, finding.file) for finding in findings if finding.check == check]


def test_a_near_duplicate_across_the_split_is_found(check: Any, faces: list[FaceRecord]) -> None:
    findings = check(faces)
    assert _about(findings, "near duplicate, leaks") == [("warning", "shard-000000.tar/000000-000002 ('2')")]
    (finding,) = (finding for finding in findings if finding.severity != "note")
    assert "looks like shard-000002.tar/000002-000000 ('10')" in finding.what
    same_group = [replace(face, group="2") if face.name == "10" else face for face in faces]
    assert _about(check(same_group), "near duplicate, leaks") == []
    assert _about(check(same_group), "leak") == [("error", "shard-000000.tar/000000-000002 ('2')")]


def test_the_same_photo_on_both_sides_is_an_error(check: Any, faces: list[FaceRecord]) -> None:
    copied = [replace(face, image=faces[9].image) if face.name == "4" else face for face in faces]
    assert _about(check(copied), "same file") == [("error", "shard-000000.tar/000000-000004 ('4')")]


def test_without_test_faces_leaks_are_not_searched_for(check: Any, faces: list[FaceRecord]) -> None:
    assert _about(check(faces[:9]), "leak") == [("note", ".")]
    assert _about(check(faces, test=["train"]), "near duplicate, leaks") == [
        ("warning", "shard-000002.tar/000002-000000 ('10')")
    ]


def test_damage_and_faults_of_single_faces_are_reported(check: Any, faces: list[FaceRecord]) -> None:
    def damage(root: Path) -> None:
        path = root / "shard-000001.tar"
        flip_byte(path, (int(np.load(path.with_suffix(".npy"))[2]["offset"]) + 40) / path.stat().st_size)

    findings = check(faces, damage, smallest=500)
    assert _about(findings, "damaged shard") == [("error", "shard-000001.tar")]
    assert len(_about(findings, "tiny face")) == len(faces)
    assert _about(findings, "broken photo") == [("error", "shard-000001.tar/000001-000002 ('7')")]


def test_a_test_subset_that_no_face_has_is_refused(check: Any, faces: list[FaceRecord]) -> None:
    with pytest.raises(ConfigError, match="--test tset: no face is of such a subset: did you mean 'test'"):
        check(faces, test=["test", "tset"])


def test_a_finding_of_a_whole_shard_names_no_face(check: Any, faces: list[FaceRecord]) -> None:
    mirrored = [replace(face, landmarks=face.landmarks * np.float32([-1, 1]) + np.float32([95, 0])) for face in faces]
    whole = [item for item in check(mirrored, test=["test"]) if item.check in ("wrong scheme", "left and right")]
    assert {finding.file for finding in whole} == {"inner51"}


def test_many_findings_of_a_check_are_counted(
    check: Any, faces: list[FaceRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.data.check.shards._REPORTED", 2)
    tiny = [finding for finding in check(faces, smallest=500) if finding.check == "tiny face"]
    assert [finding.what for finding in tiny if "more" in finding.what] == ["and 3 more like these"] * 2
    assert len(tiny) == 2 * 3 + 2


def test_counts_are_those_of_the_records(tmp_path: Path, faces: list[FaceRecord]) -> None:
    known = np.arange(51) > 3
    faces = [replace(face, known=known, visible=known & (np.arange(51) % 2 > 0)) for face in faces]
    root = tmp_path / "shards"
    write_shards(root, faces, "inner51", PER_SHARD, StoreSpec(96, 1.5), {"source": "csv", "preset": None})
    report = check_shards(root, CheckOptions(workers=1), lambda name, total: lambda: None)
    photos = {name: counts.photos for name, counts in count_subsets(faces).items()}
    expected = count_subsets(list(open_shards(root)))
    assert report.subsets == {name: replace(counts, photos=photos[name]) for name, counts in expected.items()}


def test_the_command_checks_shards_in_several_processes(
    check: Any, faces: list[FaceRecord], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(faces)
    words = ["check", str(tmp_path / "shards"), "--data.format", "shards"]
    assert run([*words, "--workers", "2", "--json", str(tmp_path / "report.json")]) == 0
    assert json.loads((tmp_path / "report.json").read_text())["faces"] == len(faces)
    with pytest.raises(Exception, match="--sheets has no effect"):
        run([*words, "--sheets", str(tmp_path / "sheets")])
