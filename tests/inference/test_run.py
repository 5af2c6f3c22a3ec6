"""The line about a video tells whether all of its frames were there."""

import struct
from pathlib import Path
from typing import Any

import pytest

from distill.inference.face import Face
from distill.inference.run import BrokenSource, predict_sources
from distill.inference.sources import find_sources
from tests.inference.test_sources import write_video


class NoFaces:
    """A landmarker that finds nothing."""

    def __call__(self, pixels: Any) -> list[Face]:
        return []


class Counting:
    """A writer that counts frames."""

    def __init__(self) -> None:
        self.frames = 0

    def add(self, frame: Any, faces: Any) -> None:
        self.frames += 1


def predict(path: Path, max_frames: int | None = None) -> tuple[str, int]:
    """Return the line about a video, and how many frames were written."""
    writer, landmarker = Counting(), NoFaces()
    sources = find_sources([path])
    (line,) = predict_sources(sources, landmarker, [writer], lambda _: landmarker, max_frames, None, 1)  # type: ignore[arg-type,list-item]
    return line, writer.frames


def hide_frames(path: Path, count: int) -> None:
    """Hide the first frames, of 0.1 s, by the edit list, as a phone does that trims a video."""
    content = bytearray(path.read_bytes())
    (scale,) = struct.unpack_from(">I", content, content.find(b"mdhd") + 16)
    entry = content.find(b"elst") + 12
    duration, _ = struct.unpack_from(">II", content, entry)
    struct.pack_into(">II", content, entry, duration - 100 * count, scale * count // 10)
    path.write_bytes(content)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_video_that_was_cut_off_is_an_error_with_both_counts(share: float, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.avi", 20)
    whole = path.read_bytes()
    first, last = whole.find(b"movi"), whole.rfind(b"idx1")  # the frames, behind the header
    missing = len(whole) - int(first + (last - first) * share)
    path.write_bytes(whole[:-missing])
    line, written = predict(path)
    assert isinstance(line, BrokenSource)  # status 1, as of a photo that was cut off
    assert 0 < written < 20
    assert line == (
        f"error: {path}: cut off, {missing} bytes are missing: {written} of 20 frames were read; copy it again"
    )


def test_the_frames_before_a_limit_are_no_loss(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.avi", 20)
    path.write_bytes(path.read_bytes()[:-100])
    line, written = predict(path, max_frames=3)
    assert written == 3
    assert line.startswith(f"{path}: 0 faces in 3 frames, ")


def test_a_trimmed_video_is_complete(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", 20)
    hide_frames(path, 5)
    line, written = predict(path)
    assert not isinstance(line, BrokenSource)
    assert written < 20
    assert line.startswith(f"{path}: 0 faces in {written} frames of 20 in its header, ")


def test_a_complete_video_names_no_second_count(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", 20)
    assert predict(path)[0].startswith(f"{path}: 0 faces in 20 frames, ")
