"""A face is followed through a real clip: one id, few detections, and less jitter than with one detection a frame."""

import json
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from distill.cli.predict import predict
from distill.detection.detection import Detection
from distill.detection.detector import FaceDetector
from distill.evaluate.jitter import frame_jitter
from distill.images import AnyPhoto, Photo
from distill.inference.face import Face
from distill.inference.landmarker import Landmarker
from distill.inference.sources import find_sources, frame_rate, frames
from distill.landmarks import load_scheme

# Not among the first three clips, on which the constants of tracking and smoothing were chosen (docs/how-to/video.md).
CLIP = "lrwp9a.mpg"
N_FRAMES, REDETECT = 30, 25
MODEL = Path(__file__).parents[2] / "checkpoints" / "student_68_128_fp16.tflite"


class Clip(NamedTuple):
    """Faces of each frame by both ways, in the frames' order, and the number of detections of the followed ones."""

    followed: list[list[Face]]
    detected: list[list[Face]]
    n_detections: int


class CountingDetector(FaceDetector):
    """The default detector, which counts its calls; a subclass, so that the model's crop for its boxes is used."""

    calls = 0

    def __call__(self, photo: AnyPhoto) -> list[Detection]:
        self.calls += 1
        return super().__call__(photo)


@pytest.fixture(scope="module")
def clip_path(real_data: Path) -> Path:
    path = real_data / "grid_video" / CLIP
    if not path.is_file():
        pytest.skip(f"{path.parent.name}/{CLIP} not found")
    return path


@pytest.fixture(scope="module")
def clip(clip_path: Path) -> Clip:
    (source,) = find_sources([clip_path])
    photos: list[Photo] = [frame.pixels for frame in islice(frames(source), N_FRAMES)]
    assert len(photos) == N_FRAMES
    detector = CountingDetector()
    landmarker = Landmarker(MODEL, detector)
    followed = list(landmarker.track(photos, frame_rate(source), REDETECT))
    n_detections = detector.calls
    return Clip(followed, [landmarker(photo) for photo in photos], n_detections)


def track_of(faces: list[list[Face]]) -> NDArray[np.float32]:
    """Return the landmarks (t, k, 2) of the only face of each frame."""
    return np.array([face.landmarks for (face,) in faces])


def jitter_percent(faces: list[list[Face]], points: slice) -> float:
    """Return the jitter of some points in percent of the outer eye distance, as docs/how-to/video.md states it."""
    track = track_of(faces)
    distance = float(load_scheme("ibug68").eye_distance(track, "ocular").mean())
    return 100 * frame_jitter(track[:, points], distance)


def test_the_face_keeps_one_id(clip: Clip) -> None:
    assert [[face.id for face in faces] for faces in clip.followed] == [[1]] * N_FRAMES
    assert all(face.placed for (face,) in clip.followed)


def test_the_detector_runs_in_few_frames(clip: Clip) -> None:
    """In the first frame, and `redetect` frames later; each more would be a face taken for lost."""
    assert clip.n_detections == 2


def test_followed_landmarks_stay_on_the_face(clip: Clip) -> None:
    """Jitter alone would be smallest of landmarks that do not move at all."""
    followed, detected = track_of(clip.followed), track_of(clip.detected)
    distance = float(load_scheme("ibug68").eye_distance(detected, "ocular").mean())
    assert np.linalg.norm(followed - detected, axis=-1).mean() < 0.02 * distance


def test_the_command_follows_the_face_as_python_does(clip: Clip, clip_path: Path, tmp_path: Path) -> None:
    """`distill predict` takes the times of the frames from the file, `track` from the rate."""
    out = tmp_path / "points.jsonl"
    assert predict([str(clip_path)], str(MODEL), jsonl=out, max_frames=N_FRAMES, redetect=REDETECT) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [[face["id"] for face in row["faces"]] for row in rows] == [[1]] * N_FRAMES
    points = np.array([row["faces"][0]["points"] for row in rows])
    np.testing.assert_allclose(points, track_of(clip.followed), atol=0.01)


def test_followed_landmarks_jitter_less_than_detected_ones(clip: Clip) -> None:
    """Of the inner points, which have marks in the face, the study measures a third less on other frames."""
    inner, all_points = slice(17, None), slice(None)
    assert jitter_percent(clip.followed, inner) < 0.75 * jitter_percent(clip.detected, inner)
    assert jitter_percent(clip.followed, all_points) < jitter_percent(clip.detected, all_points)
