"""Landmarks drawn on photos. Needs OpenCV only, no matplotlib."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from distill.files import atomic_path
from distill.geometry import Points
from distill.images import Photo

_GREEN = (80, 230, 80)


def draw_points(photo: Photo, faces: Sequence[Points]) -> Photo:
    """Return a copy of a photo (h, w, 3) uint8 RGB with the landmarks (k, 2) of its faces as filled circles."""
    canvas = np.ascontiguousarray(photo[:, :, ::-1])
    canvas = canvas.copy() if np.shares_memory(canvas, photo) else canvas
    radius = max(1, round(max(photo.shape[:2]) / 400))
    for landmarks in faces:
        for x, y in landmarks:
            cv2.circle(canvas, (round(float(x)), round(float(y))), radius, _GREEN, -1, cv2.LINE_AA)
    return canvas[:, :, ::-1]


def write_image(path: Path, photo: Photo) -> None:
    """Write a photo (h, w, 3) uint8 RGB, atomically; the suffix names the format."""
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), photo[:, :, ::-1])
