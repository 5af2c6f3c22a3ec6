"""Contact sheets: many faces in one image."""

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.render import GeneratedFace, render_face
from distill.errors import ConfigError
from distill.landmarks import load_scheme

_VISIBLE = (60, 230, 90)
_HIDDEN = (250, 90, 60)
_SHIFT = 4


def draw_landmarks(face: GeneratedFace, scheme: str) -> NDArray[np.uint8]:
    """Return the picture with the scheme's edges and points; hidden points in another colour."""
    if scheme not in face.landmarks:
        raise ConfigError(f"generated faces have no {scheme} points: choose from {', '.join(face.landmarks)}")
    picture = face.image.copy()
    size = len(face.image)
    fixed = np.round(face.landmarks[scheme] * (1 << _SHIFT)).astype(np.int32)
    for edge in load_scheme(scheme).edges:
        cv2.polylines(picture, [fixed[list(edge.points)]], edge.closed, (235, 235, 235), 1, cv2.LINE_AA, _SHIFT)
    radius = round(max(1.0, size / 150) * (1 << _SHIFT))
    for point, is_visible in zip(fixed, face.visible[scheme], strict=True):
        cv2.circle(picture, point.tolist(), radius, _VISIBLE if is_visible else _HIDDEN, -1, cv2.LINE_AA, _SHIFT)
    return picture


def contact_sheet(
    seed: int, count: int, columns: int, size: int, draw_points: str | None = None, difficulty: float = 1.0
) -> NDArray[np.uint8]:
    """Return faces 0 ... count - 1 of a seed side by side, RGB; `draw_points` names a scheme to draw on them."""
    tiles = []
    for index in range(count):
        face = render_face(seed, index, size, difficulty)
        tiles.append(draw_landmarks(face, draw_points) if draw_points else face.image)
    tiles += [np.zeros_like(tiles[0])] * (-count % columns)
    return np.concatenate([np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)])
