"""Drawn copies keep their place in a folder, and videos their length and size."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.errors import ConfigError
from distill.geometry import Box
from distill.inference.drawn import DrawingWriter
from distill.inference.face import Face
from distill.inference.sources import Frame, Source, find_sources, frames
from tests.inference.test_sources import write_video

FACE = Face(Box(10, 10, 40, 40), np.array([[20, 25]], np.float32), 0.9)


def test_photos_of_a_folder_and_videos_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "in/sub").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "in/sub/a.jpg"), np.zeros((60, 60, 3), np.uint8))
    write_video(tmp_path / "in/clip.mp4")
    sources = find_sources([tmp_path / "in"])
    with DrawingWriter(tmp_path / "out", sources, None) as writer:
        for source in sources:
            for frame in frames(source):
                writer.add(frame, [FACE])
    drawn = cv2.imread(str(tmp_path / "out/sub/a.png"))
    assert drawn.shape == (60, 60, 3)
    assert drawn.any()
    (clip,) = find_sources([tmp_path / "out/clip.mp4"])
    assert [frame.pixels.shape for frame in frames(clip)] == [(48, 64, 3)] * 5


def test_a_face_that_is_not_placed_is_drawn_in_grey(tmp_path: Path) -> None:
    source = Source("x.jpg", Path())
    pixels = np.zeros((60, 60, 3), np.uint8)
    drawn = {}
    for name, placed in (("placed", True), ("unknown", None), ("unplaced", False)):
        with DrawingWriter(tmp_path / name, [source], None) as writer:
            writer.add(Frame(source, pixels), [FACE._replace(placed=placed)])
        drawn[name] = cv2.imread(str(tmp_path / name / "x.png"))
    assert (drawn["placed"] == drawn["unknown"]).all()
    assert np.ptp(drawn["placed"], axis=-1).max() > 40
    assert np.ptp(drawn["unplaced"], axis=-1).max() == 0


def test_two_photos_are_never_drawn_to_one_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not the only photo drawn as"):
        DrawingWriter(tmp_path, [Source("a/x.jpg", Path("a")), Source("b/x.jpg", Path("b"))], None)


def test_frames_without_faces_are_drawn_as_they_are(tmp_path: Path) -> None:
    pixels = np.full((8, 8, 3), 99, np.uint8)
    source = Source("x.jpg", Path())
    with DrawingWriter(tmp_path, [source], None) as writer:
        writer.add(Frame(source, pixels), [])
    assert (cv2.imread(str(tmp_path / "x.png")) == 99).all()


def test_photos_that_differ_in_their_suffix_are_drawn_to_files_of_their_own(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    sources = [Source("in/x.heic", Path("in")), Source("in/x.jpg", Path("in")), Source("in/y.jpg", Path("in"))]
    with DrawingWriter(tmp_path, sources, None) as writer:
        for source in sources:
            writer.add(Frame(source, pixels), [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.heic.png", "x.jpg.png", "y.png"]


def test_a_drawing_never_replaces_a_photo_or_video_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("x.png", np.full((8, 8, 3), 7, np.uint8))
    for name in ("x.png", "clip.mp4"):
        with pytest.raises(ConfigError, match=rf"the drawing of {name} would replace {name}; give a new folder"):
            DrawingWriter(Path(), [Source(name, Path())], None)
    with pytest.raises(ConfigError, match=r"the drawing of in/x.jpg would replace out/x.png"):
        DrawingWriter(Path("out"), [Source("in/x.jpg", Path("in")), Source("out/x.png", Path())], None)
