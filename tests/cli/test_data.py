"""`distill data check`, `prepare` and `sources` as a user types them."""

import json
from pathlib import Path

import numpy as np
import pytest

from distill.cli.main import main
from distill.data.readers import read_faces
from distill.data.synthetic import write_faces
from distill.detection.detector import Detection
from distill.images import read_image
from distill.inference.overlay import write_image


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("generated")
    write_faces(root, 10, seed=8, size=96, difficulty=0.3)
    return root


def test_a_broken_photo_of_a_table_is_reported_once_and_with_its_own_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The copy without that photo was read again, and its table reported photos 'outside' a temporary folder."""
    rows = ["image," + ",".join(f"x{k},y{k}" for k in range(5))]
    for index in range(3):
        write_image(tmp_path / f"{index}.png", np.zeros((64, 64, 3), np.uint8))
        rows.append(f"{index}.png,10,10,50,10,30,30,15,50,{44 + index},50")
    (tmp_path / "1.png").write_text("no photo")
    (tmp_path / "train.csv").write_text("\n".join(rows))
    out = tmp_path / "check.json"
    words = ["data", "check", str(tmp_path), "--data.format", "csv", "--scheme", "five", "--json", str(out)]
    assert main(words) == 1
    found = [(item["file"], item["what"]) for item in json.loads(out.read_text())["findings"]]
    unreadable = [what for file, what in found if file == "1.png"]
    assert unreadable
    assert all(what.startswith("not an image") for what in unreadable)
    assert not [what for _, what in found if "outside" in what]
    assert (".", "reading stopped here") not in found
    assert json.loads(out.read_text())["faces"] == 2, "the others are read"


WRITING = {
    "pack": (
        ["pack", "out/faces.safetensors", "--data.subset", "train", "--data.val_subset", "val"],
        "faces.safetensors",
    ),
    "sheet": (["sheet", "out/faces.png", "--data.subset", "train"], "faces.png"),
    "check, JSON": (["check", "--json", "out/found.json"], "found.json"),
    "check, list": (["check", "--manifest", "out/sums.txt"], "sums.txt"),
    "check, sheets": (["check", "--sheets", "out"], "faces.png"),
}


@pytest.mark.parametrize("name", WRITING)
def test_a_file_that_cannot_be_written_is_found_before_faces_are_read(
    name: str, generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what a killed command left beside it is removed."""
    words, file = WRITING[name]
    argv = ["data", *words, "--data.format", "manifest", "--data.root", str(generated)]
    monkeypatch.chdir(tmp_path)
    leftover = tmp_path / "out" / f".{Path(file).stem}.tmp-01234567{Path(file).suffix}"
    leftover.parent.mkdir()
    leftover.touch()
    main(argv)
    assert not leftover.exists()
    (tmp_path / "out" / file).unlink()
    (tmp_path / "out" / file).mkdir()
    for target in ("data.pack.packed_roles", "data.readers.read_faces", "data.check.check_data"):
        monkeypatch.setattr(f"distill.{target}", lambda *args: pytest.fail("faces were read"))
    capsys.readouterr()
    assert main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: out/{file}: cannot be written (it is a folder)")


def test_the_check_of_a_csv_folder_as_300w_names_the_format(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.csv").touch()
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "--data.format csv" in " ".join(capfd.readouterr().out.replace("│", " ").split())


def test_a_sheet_is_a_png(generated: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "sheet", "x.pdf", "--data.format", "manifest", "--data.root", str(generated)]) == 2
    assert capfd.readouterr().err == "error: x.pdf: the sheet is a PNG; give a name that ends in .png\n"


def test_check_says_nothing_of_sound_faces_and_draws_them(
    generated: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sheets, out = tmp_path / "sheets", tmp_path / "check.json"
    words = ["data", "check", str(generated), "--data.format", "manifest", "--smallest", "10"]
    assert main([*words, "--sheets", str(sheets), "--json", str(out)]) == 0
    assert "nothing found" in capfd.readouterr().out
    assert [path.name for path in sheets.iterdir()] == ["faces.png"]
    content = json.loads(out.read_text())
    assert (content["faces"], content["counts"], content["format"]) == (10, {}, "manifest")


def test_check_fails_with_an_error_and_says_what_to_do(
    generated: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sums = tmp_path / "sums.txt"
    words = ["data", "check", str(generated), "--data.format", "manifest", "--manifest", str(sums)]
    assert main(words) == 0
    sums.write_text(sums.read_text().replace("  faces.json", "  gone.json"))
    assert main(words) == 1
    text = " ".join(capfd.readouterr().out.split())
    assert "gone.json: is gone" in text
    assert "error" in text


def test_generated_faces_are_split_as_requested(tmp_path: Path) -> None:
    words = ["data", "synth", str(tmp_path), "--count", "10", "--size", "48", "--workers", "0", "--difficulty", "0"]
    assert main([*words, "--subsets", "{train: 2, unlabelled: 8}"]) == 0
    subsets = [record.subset for record in read_faces("manifest", tmp_path)]
    assert {name: subsets.count(name) for name in set(subsets)} == {"train": 2, "unlabelled": 8}


def test_prepare_makes_a_folder_that_reads_as_faces(
    generated: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "prepare", str(tmp_path / "store"), "--data.format", "manifest", "--data.root", str(generated)]
    assert main([*words, "--data.subset", "train", "--size", "64"]) == 0
    assert len(read_faces("manifest", tmp_path / "store", ["train"])) == 8
    assert main([*words, "--data.subset", "test", "--size", "64"]) == 2
    assert "name an empty folder" in capfd.readouterr().err


def test_prepare_finds_the_faces_once_where_requested(
    generated: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = iter([record.boxes["gt"] for record in read_faces("manifest", generated, ["train"])])
    monkeypatch.setattr("distill.detection.detector.FaceDetector", lambda: lambda photo: [Detection(next(boxes), 0.9)])
    words = ["data", "prepare", str(tmp_path / "store"), "--data.format", "manifest", "--data.root", str(generated)]
    assert main([*words, "--data.subset", "train", "--size", "64", "--detect", "true"]) == 0
    assert "8 faces, 8 found by the detector" in capfd.readouterr().out
    for record in read_faces("manifest", tmp_path / "store", ["train"]):
        assert record.boxes["detector"] == pytest.approx(record.boxes["gt"], abs=0.01)


def test_sources_lists_describes_and_verifies(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "sources"]) == 0
    assert "muct" in capfd.readouterr().out
    assert main(["data", "sources", "muct"]) == 0
    assert "web pages" in " ".join(capfd.readouterr().out.split())
    assert main(["data", "sources", "muct", "--root", str(tmp_path)]) == 1
    assert "no such file" in " ".join(capfd.readouterr().out.split())
    assert main(["data", "sources", "mukt"]) == 2
    assert "did you mean 'muct'" in capfd.readouterr().err


def test_impossible_numbers_are_refused_before_a_bar_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "synth", str(tmp_path / "faces"), "--count", "-1"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: count -1")


def test_sheet_draws_faces(generated: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    words = ["--data.format", "manifest", "--data.root", str(generated), "--data.subset", "all", "--count", "7"]
    assert main(["data", "sheet", "--out", str(out), *words]) == 0
    # Seven crops of 192 px, six in a row.
    height, width = read_image(out).shape[:2]
    assert width >= 6 * 192
    assert 2 * 192 <= height < 3 * 192
