"""Lists of photos as hosts write them, on every system and by every program."""

import os
import shutil
from pathlib import Path

import pytest

from distill.submission import run_model
from tests.submission.conftest import Run

LISTS = {
    "CRLF": lambda name: f"{name}\r\n".encode(),
    "old Mac": lambda name: f"{name}\r".encode(),
    "BOM": lambda name: f"\ufeff{name}\n".encode(),
    "PowerShell": lambda name: f"{name}\r\n".encode("utf-16"),
    "blank lines": lambda name: f"\n   \n\t\r\n{name}\n\n".encode(),
    "no end": lambda name: name.encode(),
    "twice": lambda name: f"{name}\n{name}\n".encode(),
    "spaces around": lambda name: f"  {name}  \n".encode(),
}


@pytest.mark.parametrize("kind", LISTS)
def test_every_kind_of_list(run: Run, plain_photo: Path, kind: str) -> None:
    photo = plain_photo.rename(plain_photo.with_name("ein Bild 写真 ü.png"))
    status, complaints, results = run(LISTS[kind](photo.name))
    assert (status, complaints, list(results)) == (0, [], ["ein Bild 写真 ü.txt"])
    assert results["ein Bild 写真 ü.txt"].startswith("version: 1\n")


def test_names_are_relative_to_the_working_directory_first(
    run: Run, plain_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(plain_photo, elsewhere / "here.png")
    monkeypatch.chdir(elsewhere)
    _, complaints, results = run(f"here.png\n{plain_photo.name}\n".encode(), output=Path("relative results"))
    assert complaints == []
    assert list(results) == ["a plain photo.txt", "here.txt"]
    assert (elsewhere / "relative results" / "here.txt").is_file()


def test_a_name_that_is_not_utf8_is_still_found(run: Run, plain_photo: Path, tmp_path: Path) -> None:
    """Lists made on an old Windows have Latin-1 names; Linux takes any bytes."""
    name = "fa\xe7ade.png".encode("latin-1")
    shutil.copy(plain_photo, os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    status, complaints, results = run(name + b"\n")
    assert (status, complaints, len(results)) == (0, [], 1)


@pytest.mark.parametrize("line", ["images\\a.png", ".\\images\\a.png", '"images\\a.png"', "images/a.png"])
def test_a_list_written_on_windows(run: Run, plain_photo: Path, tmp_path: Path, line: str) -> None:
    (tmp_path / "images").mkdir()
    shutil.copy(plain_photo, tmp_path / "images" / "a.png")
    status, complaints, results = run(f"\ufeff{line}\r\n".encode())
    assert (status, complaints, list(results)) == (0, [], ["a.txt"])


def test_a_file_name_may_hold_a_backslash(tmp_path: Path) -> None:
    (tmp_path / "a\\b.png").touch()
    (tmp_path / "list.txt").write_text("a\\b.png\n")
    assert run_model.read_list(tmp_path / "list.txt") == [tmp_path / "a\\b.png"]


def test_a_run_in_which_every_photo_failed_is_no_success(run: Run, plain_photo: Path) -> None:
    status, complaints, results = run(b"none\\1.png\nnone\\2.png\n")
    assert (status, len(complaints), list(results)) == (1, 2, ["1.txt", "2.txt"])
    status, complaints, _ = run(f"none.png\n{plain_photo.name}\n".encode())
    assert (status, len(complaints)) == (0, 1)
