"""Draw landmarks on photos: contours, points, boxes and numbers, in sizes that follow the face. Needs OpenCV only."""

from collections.abc import Collection, Sequence
from pathlib import Path

import cv2
import numpy as np

from distill.files import write_bytes
from distill.geometry import Box, Points
from distill.images import Photo
from distill.landmarks import Scheme

# Okabe and Ito's colours as BGR, which colour-blind readers can tell apart; one for each face in turn.
_COLOURS = ((115, 158, 0), (178, 114, 0), (0, 94, 213), (167, 121, 204), (0, 159, 230), (233, 180, 86))
_GREY = (128, 128, 128)
_DASHES = 8  # along a side of a box
_PART_BITS = 4  # OpenCV draws with 1/16 pixel


def draw_faces(
    photo: Photo,
    faces: Sequence[tuple[Box, Points]],
    scheme: Scheme | None = None,
    labels: Sequence[str] | None = None,
    point_numbers: bool = False,
    uncertain: Collection[int] = (),
) -> Photo:
    """Return a copy of a photo (h, w, 3) uint8 RGB with its faces drawn in.

    Args:
        photo: is not changed.
        faces: box and landmarks (k, 2) of each face, in photo pixels.
        scheme: whose curves are drawn; points alone without.
        labels: text at each box; the number of the face from 1 by default.
        point_numbers: write the index of each landmark beside it.
        uncertain: indices of faces whose landmarks are not to be relied on: grey rings without curves in a dashed box.
    """
    canvas = np.ascontiguousarray(photo[:, :, ::-1])
    canvas = canvas.copy() if np.shares_memory(canvas, photo) else canvas
    for index, (box, landmarks) in enumerate(faces):
        if not np.isfinite(landmarks).all():
            continue
        colour = _GREY if index in uncertain else _COLOURS[index % len(_COLOURS)]
        side = max(box.width, box.height)
        line = max(1, round(side / 150))
        for edge in scheme.edges if scheme and index not in uncertain else ():
            curve = _fixed(landmarks[list(edge.points)])
            cv2.polylines(canvas, [curve], edge.closed, colour, line, cv2.LINE_AA, _PART_BITS)
        radius = max(1.0, side / 110)
        for number, point in enumerate(landmarks):
            _point(canvas, point, radius, colour, index in uncertain)
            if point_numbers:
                _text(canvas, str(number), point + radius, side / 1000, colour, 1)
        _box(canvas, box, colour, line, index in uncertain)
        label = labels[index] if labels else str(index + 1)
        _text(canvas, label, np.array([box.x0, box.y0 - 2 * line]), max(0.35, side / 300), colour, max(1, line))
    return canvas[:, :, ::-1]


def _point(canvas: np.ndarray, point: np.ndarray, radius: float, colour: tuple[int, int, int], ring: bool) -> None:
    centre = tuple(int(value) for value in _fixed(point))
    outer, inner = (round(size * 2**_PART_BITS) for size in (radius, 0.7 * radius))
    if ring:
        cv2.circle(canvas, centre, outer, colour, 1, cv2.LINE_AA, _PART_BITS)
        return
    cv2.circle(canvas, centre, outer, (255, 255, 255), -1, cv2.LINE_AA, _PART_BITS)
    cv2.circle(canvas, centre, inner, colour, -1, cv2.LINE_AA, _PART_BITS)


def _box(canvas: np.ndarray, box: Box, colour: tuple[int, int, int], line: int, dashed: bool) -> None:
    corners = np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])
    if not dashed:
        cv2.polylines(canvas, [_fixed(corners)], True, colour, line, cv2.LINE_AA, _PART_BITS)
        return
    for start, end in zip(corners, np.roll(corners, -1, 0), strict=True):
        marks = np.linspace(start, end, 2 * _DASHES)
        for dash in marks.reshape(_DASHES, 2, 2):
            cv2.polylines(canvas, [_fixed(dash)], False, colour, line, cv2.LINE_AA, _PART_BITS)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Photo pixels -> the fixed-point numbers of OpenCV, within what it can draw."""
    return np.rint(np.clip(points, -30000, 30000) * 2**_PART_BITS).astype(np.int32)


def _text(
    canvas: np.ndarray, text: str, origin: np.ndarray, scale: float, colour: tuple[int, int, int], line: int
) -> None:
    x, y = (int(value) for value in np.rint(np.clip(origin, -30000, 30000)))
    cv2.putText(
        canvas, text, (x, max(y, round(22 * scale))), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, line, cv2.LINE_AA
    )


def write_image(path: Path, photo: Photo) -> None:
    """Write a photo (h, w, 3) uint8 RGB, atomically; the suffix names the format."""
    # OpenCV's own writer neither reports a full disk nor leaves a file.
    write_bytes(path, cv2.imencode(path.suffix, photo[:, :, ::-1])[1].tobytes())
