"""The three formats hold the same faces."""

import csv
import json
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.geometry import Box
from distill.inference.face import Face
from distill.inference.predictions import PredictionWriter, readable_json
from distill.inference.sources import Frame, Source
from tests.support.errors import assert_one_line

FACE = Face(Box(1.0, 2.0, 31.5, 42.25), np.array([[3.5, 4.25], [5, 6]], np.float32), 0.875)
UNPLACED = FACE._replace(point_confidence=np.array([0.25, 0.5], np.float32), placed=False, id=3)
PIXELS = np.zeros((50, 60, 3), np.uint8)


def write(path: Path, photos: int = 0) -> None:
    """Write so many photos of a face, or, by default, a photo and two frames."""
    photo, clip = Source("a.png", Path()), Source("b.mp4", Path())
    with PredictionWriter(path, "net", "scheme", 2) as writer:
        for number in range(photos):
            writer.add(Frame(Source(f"{number}.png", Path()), PIXELS), [FACE])
        if photos:
            return
        writer.add(Frame(photo, PIXELS), [FACE, FACE])
        writer.add(Frame(clip, PIXELS, 7, 0.28), [UNPLACED])
        writer.add(Frame(clip, PIXELS, 8, 0.32), [])


def test_json(tmp_path: Path) -> None:
    write(tmp_path / "out.json")
    content = json.loads((tmp_path / "out.json").read_text())
    face = {"score": 0.875, "box": [1.0, 2.0, 31.5, 42.25], "points": [[3.5, 4.25], [5.0, 6.0]]}
    unknown = face | {"confidence": None, "placed": None, "point_confidence": None, "id": None}
    unplaced = face | {"confidence": 0.375, "placed": False, "point_confidence": [0.25, 0.5], "id": 3}
    photos = {"a.png": [unknown, unknown], "b.mp4#7": [unplaced], "b.mp4#8": []}
    assert content == {"model": "net", "scheme": "scheme", "photos": photos}


def test_json_has_a_point_a_line(tmp_path: Path) -> None:
    write(tmp_path / "out.json")
    lines = [line.strip() for line in (tmp_path / "out.json").read_text().splitlines()]
    assert lines.count("[3.5, 4.25],") == lines.count("[5.0, 6.0]") == 3
    assert lines.count('"box": [1.0, 2.0, 31.5, 42.25],') == 3
    assert '"point_confidence": [0.25, 0.5],' in lines


def test_json_keeps_names_that_look_like_arrays() -> None:
    content = {"photos": {"[\n 1 ,\n 2\n].png": [], "[ 3 ]": [[1, 2.5], [], ["[\n4\n]", 5], [None, True]]}}
    assert json.loads(readable_json(content)) == content


def test_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        readable_json([float("nan")])


def test_json_lines(tmp_path: Path) -> None:
    write(tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["photo"], line.get("frame"), line.get("seconds"), len(line["faces"])) for line in lines] == [
        ("a.png", None, None, 2),
        ("b.mp4", 7, 0.28, 1),
        ("b.mp4", 8, 0.32, 0),
    ]
    assert (lines[0]["width"], lines[0]["height"], lines[0]["scheme"]) == (60, 50, "scheme")


def test_csv(tmp_path: Path) -> None:
    write(tmp_path / "out.csv")
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [(row["photo"], row["frame"], row["face"]) for row in rows] == [
        ("a.png", "", "0"),
        ("a.png", "", "1"),
        ("b.mp4", "7", "0"),
    ]
    assert [float(rows[0][name]) for name in ("left", "bottom", "score", "x0", "y0", "x1", "y1")] == [
        1.0, 42.25, 0.875, 3.5, 4.25, 5.0, 6.0,
    ]  # fmt: skip
    certain = [[row[name] for name in ("confidence", "placed", "confidence0", "confidence1")] for row in rows]
    assert certain == [["", "", "", ""], ["", "", "", ""], ["0.375", "0", "0.25", "0.5"]]
    assert [row["id"] for row in rows] == ["", "", "3"]


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"write \.json, \.jsonl or \.csv"):
        PredictionWriter(tmp_path / "out.xml", "net", "scheme", 2)


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files of at most 2 kB, which stands for a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("name", ["out.json", "out.csv"])
def test_a_full_disk_is_one_line_and_the_file_of_before_is_kept(name: str, tmp_path: Path, small_files: None) -> None:
    (tmp_path / name).write_text("before")
    with pytest.raises(
        ConfigError, match=rf"{name}: cannot be written \(.*\); what was there before is kept"
    ) as caught:
        write(tmp_path / name, photos=200)
    assert_one_line(caught)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "before"


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, small_files: None) -> None:
    path = tmp_path / "out.jsonl"
    with pytest.raises(
        ConfigError, match=r"out\.jsonl: cannot be written \(.*\); it holds the photos before"
    ) as caught:
        write(path, photos=200)
    assert_one_line(caught)
    found = [json.loads(line)["photo"] for line in path.read_text().splitlines()]
    assert found == [f"{number}.png" for number in range(len(found))]
    assert str(caught.value).endswith(f"before {len(found)}.png")


def test_a_table_appears_whole(tmp_path: Path) -> None:
    """A reader, and a second process with the same file, find a whole table."""
    path = tmp_path / "out.csv"
    with PredictionWriter(path, "net", "scheme", 2) as writer:
        writer.add(Frame(Source("a.png", Path()), PIXELS), [FACE])
        assert not path.exists()
        write(path, photos=3)
        assert len(path.read_text().splitlines()) == 4
    assert len(path.read_text().splitlines()) == 2
