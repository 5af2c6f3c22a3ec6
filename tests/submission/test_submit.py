"""Contests by name, photos of the dry run and results for the report, as `distill submit` is given them."""

import json
from pathlib import Path

import pytest

from distill.errors import ConfigError
from distill.pretrained.resources import CONTESTS
from distill.submission.submit import find_contest, photos_in, read_results, submit


def test_contests_are_named_or_files(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("name: own")
    assert find_contest(str(own)) == own
    for name in ("icme2024_pair", "icme2024_pair.yaml", "configs/contest/icme2024_pair.yaml"):
        assert find_contest(name).samefile(CONTESTS / "icme2024_pair.yaml")
    for name in ("icme2024_pai", "elsewhere/icme2024_pair.yaml"):
        with pytest.raises(ConfigError, match="no rules of this name"):
            find_contest(name)


def test_photos_of_one_result_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="photos; name another folder"):
        photos_in(tmp_path)
    for name in ("b.png", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in photos_in(tmp_path)] == ["a.jpg", "b.png"]
    (tmp_path / "a.png").touch()
    with pytest.raises(ConfigError, match=r"a\.jpg has the same result file"):
        photos_in(tmp_path)


def test_results_without_single_faces(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"nme_percent": 3.0, "faces": [1, 2]}))
    assert read_results(path) == {"nme_percent": 3.0}
    path.write_text("[1]")
    with pytest.raises(ConfigError, match="no results in it"):
        read_results(path)


def test_a_folder_of_wheels_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--wheels .*/absent: no such folder"):
        submit(tmp_path / "model.tflite", tmp_path / "out.zip", wheels=tmp_path / "absent")


def test_a_package_is_a_zip(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--out .*/out\.txt: give a file that ends in \.zip"):
        submit(tmp_path / "model.tflite", tmp_path / "out.txt")
