"""Photos are found in files, folders, patterns and videos, and read in order."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.errors import ConfigError, ImageError
from distill.inference.sources import Source, find_sources, frame_rate, frames


def write_video(path: Path, count: int = 5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
    for index in range(count):
        writer.write(np.full((48, 64, 3), (200, 40 * index, 0), np.uint8))
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "more").mkdir()
    for name in ("b.png", "a.JPG", "more/c.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 9, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("no photo")
    return tmp_path


def test_folders_patterns_and_files_are_found_once(folder: Path) -> None:
    found = find_sources([folder, f"{folder}/*.png", folder / "b.png", "missing.jpg"])
    names = [Path(source.name).name for source in found]
    assert names == ["a.JPG", "b.png", "c.png", "missing.jpg"]
    assert found[2].relative == Path("more/c.png")


def test_nothing_found_is_an_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    for name, message in ((folder / "empty", "no photos"), (f"{folder}/*.bmp", "no file of this pattern"), ("-", "-:")):
        with pytest.raises(ConfigError, match=message):
            find_sources([name])


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_not_the_current_folder(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match="empty name"):
        find_sources([name])


def test_frames_of_a_video_come_in_order_with_their_time(tmp_path: Path) -> None:
    (source,) = find_sources([write_video(tmp_path / "clip.mp4")])
    read = list(frames(source))
    assert [frame.index for frame in read] == [0, 1, 2, 3, 4]
    assert [frame.seconds for frame in read] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert frame_rate(source) == 10
    # Blue in the file, so the last channel of RGB; green grows.
    assert read[0].pixels[..., 2].mean() > 150 > read[0].pixels[..., 0].mean()
    assert read[4].pixels[..., 1].mean() > read[1].pixels[..., 1].mean() + 60
    assert read[2].name == f"{tmp_path}/clip.mp4#2"


def test_broken_videos_and_missing_cameras_are_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    unfinished = write_video(tmp_path / "unfinished.mp4")
    unfinished.write_bytes(unfinished.read_bytes()[:-100])
    assert [Source(name, Path()).camera for name in ("camera", "camera:2", "camera:x", "clip.mp4")] == [
        0,
        2,
        None,
        None,
    ]
    for name, message in (
        (str(broken), "cannot be decoded"),
        ("nowhere.mp4", "no such video"),
        ("camera:97", "camera"),
        (str(unfinished), "cannot be decoded; it is cut off, 100 bytes are missing: copy it again"),
    ):
        with pytest.raises(ImageError, match=message):
            list(frames(Source(name, Path())))
