"""Things in front of a face: hands, bars, cloth masks and plain shapes, painted over the picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.curves import draw
from distill.data.synthetic.noise import Floats, patches

Mask = NDArray[np.uint8]
_SHIFT = 4


def _fixed(points: np.ndarray) -> NDArray[np.int32]:
    return np.round(points * (1 << _SHIFT)).astype(np.int32)


def _hand(rng: np.random.Generator, size: int, at: np.ndarray, face: float) -> tuple[Mask, Floats]:
    """Forearm, palm, thumb and fingers: where they are and how bright, each limb round and before the last."""
    angle = rng.uniform(-1.2, 1.2)
    up = np.array([np.sin(angle), -np.cos(angle)])
    side = np.array([-up[1], up[0]]) * (-1, 1)[int(rng.integers(2))]
    palm = at - up * face * 0.2
    width = face * rng.uniform(0.08, 0.1)
    spread = rng.uniform(0.05, 0.2)
    limbs = [(palm - up * size, palm - up * face * 0.34, 3.1), (palm - up * face * 0.36, palm - up * face * 0.06, 3.9)]
    base = palm - side * width * 1.5 - up * face * 0.2
    limbs.append((base, base + (up * 0.9 - side * 0.75) * face * 0.2, 1.3))
    for finger, length in zip((-1.5, -0.5, 0.5, 1.5), (0.27, 0.33, 0.3, 0.22), strict=True):
        root = palm + side * finger * width * 0.98 - up * face * 0.1
        limbs.append((root, root + (up + side * finger * spread) * face * (length + 0.1), 1.0))
    mask, shade = (np.zeros((size, size), np.uint8) for _ in range(2))
    for start, end, thick in limbs:
        for share, value in ((1.0, 120), (0.82, 175), (0.55, 215), (0.3, 235)):
            line = (_fixed(start).tolist(), _fixed(end).tolist())
            cv2.line(shade, *line, value, max(1, round(width * thick * share)), cv2.LINE_AA, _SHIFT)
        cv2.line(mask, *line, 255, max(1, round(width * thick)), cv2.LINE_AA, _SHIFT)
    return mask, cv2.GaussianBlur(shade, (0, 0), max(0.5, width * 0.1)).astype(np.float32) / 215


def _bar(rng: np.random.Generator, size: int, at: np.ndarray, face: float) -> Mask:
    mask = np.zeros((size, size), np.uint8)
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)]) * size * 1.5
    width = max(2, round(face * rng.uniform(0.06, 0.22)))
    cv2.line(mask, _fixed(at - along).tolist(), _fixed(at + along).tolist(), 255, width, cv2.LINE_AA, _SHIFT)
    return mask


def _blob(rng: np.random.Generator, size: int, at: np.ndarray, face: float) -> Mask:
    mask = np.zeros((size, size), np.uint8)
    angle = np.linspace(0, 2 * np.pi, int(rng.integers(4, 12)), endpoint=False) + rng.uniform(0, 6)
    radius = face * rng.uniform(0.12, 0.3) * rng.uniform(0.7, 1.2, len(angle))
    outline = at + np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    cv2.fillPoly(mask, [_fixed(outline)], 255, cv2.LINE_AA, _SHIFT)
    return mask


def _round_shading(mask: Mask, width: float) -> Floats:
    """Brightness that falls towards the edges of a shape, as if its parts were round."""
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    return 0.55 + 0.5 * np.sqrt(np.clip(distance / max(width, 1.0), 0, 1))


def _face_mask(points: Floats) -> NDArray[np.int32]:
    """Outline of a cloth mask over nose, mouth and chin, from iBUG 68 points (68, 2), as fixed-point pixels."""
    # No landmark marks the front of the chin: it lies on from the nose over the lower lip.
    chin = points[57] + 0.8 * (points[57] - points[33])
    covered = np.concatenate([points[2:15], points[29:36], points[48:60], chin[None]])
    return cv2.convexHull(_fixed(covered))


def paint_occluder(
    rng: np.random.Generator, picture: Floats, points: Floats, skin: tuple[float, float, float], brightness: float
) -> Mask:
    """Paint one occluder over the picture in place and return where it is (size, size), 255 inside."""
    size = len(picture)
    low, high = points.min(0), points.max(0)
    face = float((high - low).max())
    at = low + (high - low) * rng.uniform(0.1, 0.95, 2)
    kind = draw(rng, (0.36, 0.16, 0.2, 0.28))
    colour = np.clip(rng.uniform(20, 235) + rng.normal(0, 30, 3), 5, 250)
    if kind == 0:
        mask, shade = _hand(rng, size, at, face)
        colour = np.array(skin) * rng.uniform(0.85, 1.05)
    elif kind == 3:
        mask = np.zeros((size, size), np.uint8)
        cv2.fillPoly(mask, [_face_mask(points)], 255, cv2.LINE_AA, _SHIFT)
        shade = 0.75 + 0.25 * _round_shading(mask, face * 0.3)
        folds = np.sin(np.linspace(0, 1, size, dtype=np.float32) * size / face * 26)[:, None]
        shade = shade * (1 + 0.05 * folds)
        colour = np.array([(235, 238, 240), (140, 190, 215), (35, 35, 40), tuple(colour)][int(rng.integers(4))])
    else:
        mask = _bar(rng, size, at, face) if kind == 1 else _blob(rng, size, at, face)
        shade = 0.7 + 0.5 * patches(rng, size, size, 12)
    share = mask.astype(np.float32)[..., None] / 255
    picture += share * (np.clip(colour * shade[..., None] * brightness, 0, 255).astype(np.float32) - picture)
    return mask
