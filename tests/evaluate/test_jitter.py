"""Jitter is measured as the thesis defines it, and a model that follows the face has none."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.errors import ConfigError, ImageError
from distill.evaluate.faces import load_faces
from distill.evaluate.jitter import NOISE, frame_jitter, read_video, standard_deviation, still_jitter, video_jitter
from distill.geometry import Box, CropSpec
from distill.spec import ModelSpec
from tests.support.evaluation import MakeOracle


def test_equation_6_by_hand() -> None:
    # One landmark at x = 0, 2, 4: mean 2, squares 4 + 0 + 4, over n - 1 = 2: deviation 2, of a distance of 40.
    points = np.zeros((1, 3, 1, 2))
    points[0, :, 0, 0] = 0, 2, 4
    assert standard_deviation(points, np.array([40.0])) == pytest.approx(2 / 40)


def test_the_jitter_of_white_noise_is_its_deviation_and_that_of_steady_motion_zero() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.5, (4000, 3, 2))
    assert frame_jitter(noise, 10) == pytest.approx(standard_deviation(noise[None], 10), rel=0.03)
    steady = np.arange(50)[:, None, None] * np.array([2.0, -1.0]) + rng.normal(size=(1, 3, 2))
    assert frame_jitter(steady, 10) < 1e-12


class Blob:
    """Every point lies on the brightest place of the crop: it follows the face exactly."""

    runtime, sha256 = "none", "0" * 64
    spec = ModelSpec("blob", "inner51", 51, CropSpec(size=64, scale=1.5))

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        weights = np.maximum(crops[..., 0].astype(float) - 40, 0)
        weights /= weights.sum((1, 2), keepdims=True)
        cells = (np.arange(64) + 0.5) / 64
        x, y = (weights.sum(1) * cells).sum(1), (weights.sum(2) * cells).sum(1)
        return np.repeat(np.stack([x, y], -1)[:, None], 51, 1).astype(np.float32)


def bump(x: float, y: float) -> np.ndarray:
    v, u = np.mgrid[:120, :160]
    grey = 30 + 200 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * 8.0**2))
    return np.repeat(grey.round().astype(np.uint8)[..., None], 3, 2)


def test_a_model_that_follows_the_face_stands_still_under_motion(root: Path, oracle: MakeOracle) -> None:
    from PIL import Image

    for path in root.glob("*.png"):
        Image.fromarray(bump(45, 35)[:70, :90]).save(path)
    faces = load_faces("inner51", format="manifest", root=root, limit=2)
    noise = {**NOISE, "none": lambda view, _: view}
    found = still_jitter(Blob(), faces, count=2, copies=8, progress=False, noise=noise)
    assert found["faces"] == 2
    assert found["motion_percent"] < 0.5
    assert found["noise_percent"]["0.2"] > found["noise_percent"]["0.01"]
    assert found["noise_percent"]["none"] < 1e-3


class Detector:
    def __init__(self, found: bool = True) -> None:
        self.found = found

    def __call__(self, frame: np.ndarray) -> list:
        from distill.detection.detector import Detection

        return [Detection(Box(50, 40, 110, 100), 1.0)] if self.found else []


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (160, 120))
    for step in range(12):
        writer.write(bump(70 + step, 60))
    writer.release()
    return path


def test_a_face_that_moves_steadily_has_no_jitter(video: Path) -> None:
    class Eyed(Blob):
        def __call__(self, crops: np.ndarray) -> np.ndarray:
            points = super().__call__(crops)
            points[:, 28, 0] += 0.5  # the outer eye corners need a distance
            return points

    frames = read_video(video)
    assert len(frames) == 12
    assert frames[0].shape == (120, 160, 3)
    found = video_jitter(Eyed(), [video], Detector(), progress=False)
    assert found["videos"] == 1
    assert found["fixed_box_percent"] < 0.5


def test_broken_videos_and_missing_faces(video: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such video"):
        read_video(tmp_path / "none.mp4")
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"RIFF not a video")
    with pytest.raises(ImageError, match="no frame"):
        read_video(broken)
    short = tmp_path / "short.avi"
    writer = cv2.VideoWriter(str(short), cv2.VideoWriter_fourcc(*"MJPG"), 25, (160, 120))
    for step in range(2):
        writer.write(bump(70 + step, 60))
    writer.release()
    with pytest.raises(ConfigError, match=r"short\.avi: 2 frames show no jitter"):
        video_jitter(Blob(), [short], Detector(), progress=False)
    with pytest.raises(ConfigError, match="no face found"):
        video_jitter(Blob(), [video], Detector(found=False), progress=False)
