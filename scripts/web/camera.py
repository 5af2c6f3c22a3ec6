"""Pictures of two generated faces side by side, as a camera shows them."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from distill.data.synthetic.clip import render_clip
from distill.files import write_bytes
from distill.images import Photo

# (seed, index) of faces that differ much from each other.
FACES = ((3, 1), (8, 1))
SIZE = (640, 480)
_QUALITY = 92


def camera_frames(count: int) -> Iterator[Photo]:
    """Yield `count` frames (480, 640, 3) uint8 RGB of one period: two faces that turn and speak."""
    width, height = SIZE
    left = (height - width // len(FACES)) // 2
    clips = [render_clip(seed, index, count, height) for seed, index in FACES]
    for pictures in zip(*clips, strict=True):
        halves = [picture[:, left : left + width // len(FACES)] for picture, _ in pictures]
        yield np.concatenate(halves, axis=1)


def write_camera(path: Path, count: int) -> None:
    """Write `camera_frames` as MJPEG, which Chromium's fake camera repeats."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    frames = (cv2.imencode(".jpg", frame[..., ::-1], quality)[1].tobytes() for frame in camera_frames(count))
    write_bytes(path, b"".join(frames))
