"""Results of other contests: CSV, JSON and .pts by template, other orders and bases, read back strictly."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from distill.errors import ConfigError, SubmissionError
from distill.submission import run_model
from distill.submission.contest_rules import (
    Contest,
    format_photos,
    format_result,
    load_contest,
    ordered,
    parse_photos,
    parse_result,
    result_name,
)
from distill.submission.dry_run import compare
from distill.submission.result_template import ResultTemplate, read_template
from tests.submission.conftest import RULES

EXAMPLE = RULES.with_name("faces_68_csv.yaml")
PTS = ResultTemplate("$photo.pts", "version: 1\nn_points: $n_points\n{\n$points}\n", "$x $y\n")
JSON = ResultTemplate(
    "$photo.json", "[$points]", "[$x, $y]", '{"photo": "$name", "faces": [', "]}", face_separator=", ",
    point_separator=", ",
)  # fmt: skip
CSV = ResultTemplate("all.csv", "$name,$index,$points\n", "$x,$y", head="image,face,$columns\n", point_separator=",")
NAMES = ("a.png", 'b, "2".jpg', "c d.png")


def face(x: float, size: float) -> np.ndarray:
    return np.array([[x, 2.0], [x + size, 2.0 + size]])


FACES = [face(50, 10), face(5, 30), face(90.125, 20)]


@pytest.fixture(scope="module")
def rules() -> Contest:
    return replace(load_contest(RULES), n_points=2, first_pixel=0)


def test_pts_json_and_csv_are_what_their_readers_expect(rules: Contest) -> None:
    """A base or an order mixed up is a valid file with wrong numbers."""
    pts = format_result(FACES[:1], replace(rules, result=PTS, first_pixel=1), "a.png")
    assert pts == "version: 1\nn_points: 2\n{\n51.000 3.000\n61.000 13.000\n}\n"
    content = json.loads(format_result(FACES, replace(rules, result=JSON), NAMES[1]))
    assert content["photo"] == NAMES[1]
    assert [points[0][0] for points in content["faces"]] == [90.125, 50, 5]
    assert json.loads(format_result([], replace(rules, result=JSON), "a.png"))["faces"] == []
    contest = replace(rules, result=CSV)
    rows = list(csv.DictReader(io.StringIO(format_photos([format_result(FACES, contest, NAMES[1]), ""], contest))))
    assert [(row["image"], row["face"], row["x0"], row["y1"]) for row in rows] == [
        (NAMES[1], "0", "90.125", "22.000"), (NAMES[1], "1", "50.000", "12.000"), (NAMES[1], "2", "5.000", "32.000"),
    ]  # fmt: skip


@pytest.mark.parametrize("first_pixel", [0, 1])
@pytest.mark.parametrize("template", [PTS, JSON], ids=["pts", "json"])
def test_a_result_is_read_back(rules: Contest, template: ResultTemplate, first_pixel: int) -> None:
    contest = replace(rules, result=template, first_pixel=first_pixel)
    for faces in ([], FACES[:1], FACES):
        read = parse_result(format_result(faces, contest, NAMES[1]), contest)
        for found, wanted in zip(read, ordered(faces, "right_to_left"), strict=True):
            np.testing.assert_allclose(found, wanted, atol=6e-4)


def test_a_file_of_all_photos_is_read_back(rules: Contest) -> None:
    contest = replace(rules, result=CSV)
    texts = [format_result(faces, contest, name) for name, faces in zip(NAMES, (FACES, [], FACES[:1]), strict=True)]
    read = parse_photos(format_photos(texts, contest), contest)
    assert {name: len(faces) for name, faces in read.items()} == {NAMES[0]: 3, NAMES[2]: 1}


@pytest.mark.parametrize(
    ("order", "first"), [("right_to_left", 90.125), ("left_to_right", 5), ("largest_first", 5), ("detector", 50)]
)
def test_faces_in_each_order(rules: Contest, order: str, first: float) -> None:
    contest = replace(rules, order=order)
    text = format_result(FACES, contest)
    assert parse_result(text, contest)[0][0, 0] == first
    if order != "detector":
        other = {"right_to_left": "left_to_right"}.get(order, "right_to_left")
        with pytest.raises(SubmissionError, match=f"not ordered {order.replace('_', ' ')}"):
            parse_result(format_result(FACES, replace(contest, order=other)), contest)


@pytest.mark.parametrize(
    "broken",
    [
        lambda text: text.replace("50.000", "50.0"),
        lambda text: text.replace("], [[", "] [["),
        lambda text: text + "\n",
        lambda text: text.replace(", [60.000, 12.000]", ""),
        lambda text: text.removeprefix("{"),
    ],
)
def test_a_result_that_breaks_the_template_is_refused(rules: Contest, broken) -> None:
    contest = replace(rules, result=JSON)
    with pytest.raises(SubmissionError, match="line 1 does not follow the template"):
        parse_result(broken(format_result(FACES, contest, "a.png")), contest)


def test_the_dry_run_compares_one_file_of_all_photos(rules: Contest, tmp_path: Path) -> None:
    contest = replace(rules, result=CSV)
    here = {Path(name): faces for name, faces in zip(NAMES, (FACES, [], FACES[:1]), strict=True)}
    with pytest.raises(SubmissionError, match=r"result all\.csv is missing"):
        compare(tmp_path, here, contest)
    texts = [format_result(faces, contest, photo.name) for photo, faces in here.items()]
    result = tmp_path / result_name(contest, "")
    result.write_text(format_photos(texts, contest))
    assert compare(tmp_path, here, contest) == (4, pytest.approx(0, abs=1e-6))
    result.write_text(format_photos([*texts, texts[2].replace("c d", "e")], contest))
    with pytest.raises(SubmissionError, match=r"has faces of e\.png, which is not among the photos"):
        compare(tmp_path, here, contest)
    result.write_text(format_photos(texts[:2], contest))
    with pytest.raises(SubmissionError, match=r"c d\.png has 0 faces in the package, 1 here"):
        compare(tmp_path, here, contest)


def test_the_example_has_68_points_of_every_photo_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packaged program writes the one file, with a row a face and none for photos that cannot be read."""
    example = load_contest(EXAMPLE)
    assert (example.scheme, example.n_points, example.first_pixel) == ("ibug68", 68, 0)
    points = np.stack([face(3, 4)[0] + index for index in range(68)])
    monkeypatch.setattr(run_model, "HERE", tmp_path)
    monkeypatch.setattr(run_model, "FaceDetector", lambda folder: None)
    monkeypatch.setattr(run_model, "Landmarker", lambda model, detector: None)
    monkeypatch.setattr(run_model, "predict", lambda photo, *_: [points] if photo.is_file() else photo.stat())
    (tmp_path / "contest.yaml").write_bytes(EXAMPLE.read_bytes())
    (tmp_path / "a.png").touch()
    (tmp_path / "list.txt").write_text("a.png\nmissing.png\n")
    assert run_model.run(tmp_path / "list.txt", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.csv"]
    (row,) = csv.DictReader((tmp_path / "out/results.csv").open())
    assert (row["image"], row["face"], row["x0"], row["y67"], len(row)) == ("a.png", "0", "3.00", "69.00", 138)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"face": "$points $size"}, r"result\.face has \$size; it can hold \$photo"),
        ({"face": "no points"}, r"result\.face has no \$points"),
        ({"point": "$x"}, r"result\.point has no \$y"),
        ({"face": "$points 5$"}, r"a \$ without a name; write \$\$"),
        ({"points": "$x"}, "unknown part 'points' of result; did you mean 'point'"),
        ({"head": 5}, r"result\.head is 5; it must be text"),
        ({"file": "../$photo.txt"}, "a file name without folders"),
        ({"file": "all.txt"}, r"neither \$photo nor \$name"),
    ],
)
def test_templates_that_cannot_work_are_refused(change: dict[str, object], message: str) -> None:
    raw = {"file": "$photo.txt", "face": "$points\n", "point": "$x $y "}
    assert read_template(raw, "rules") is not None
    with pytest.raises(ConfigError, match=message):
        read_template(raw | change, "rules")


def test_templates_are_part_of_the_rules(tmp_path: Path) -> None:
    raw = yaml.safe_load(RULES.read_text())
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(raw | {"result": "csv"}))
    with pytest.raises(ConfigError, match=r"rules\.yaml: result is 'csv'; it must be a mapping with file, face"):
        load_contest(path)
    assert load_contest(RULES).result is None
