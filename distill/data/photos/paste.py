"""Paste faces with known landmarks into a scene, with exact boxes and five points."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.photos.config import SceneConfig
from distill.data.photos.scene import MIRRORED_POINTS, Scene, log_uniform, longer_sides
from distill.geometry import apply_affine, similarity
from distill.images import Photo, warp

# Places tried for a pasted face before it is given up.
_TRIES = 8


class PasteFace(NamedTuple):
    """A photo of one face, in its pixels.

    Attributes:
        image: (h, w, 3) uint8.
        box: (4,) float32, in the convention of the training boxes.
        points: (5, 2) float32.
    """

    image: Photo
    box: NDArray[np.float32]
    points: NDArray[np.float32]


def paste(scene: Scene, faces: list[PasteFace], config: SceneConfig, rng: np.random.Generator) -> Scene:
    """Return the scene with the faces pasted at random sizes where they cover no other face.

    A face that finds no free place is left out. Its surroundings come with it, blended at the edge.
    """
    image = scene.image.copy()
    boxes, ignored, points = list(scene.boxes), list(scene.ignored), list(scene.points)
    for face in faces:
        # All draws of a face are made before its fate is known, so that faces do not depend on each other's.
        target = log_uniform(config.paste_smallest, config.paste_largest, rng)
        margin = rng.uniform(0.1, 0.35)
        flip = bool(rng.random() < config.flip)
        positions = rng.random((_TRIES, 2))
        softness = rng.uniform(0.05, 0.35)
        roll = rng.uniform(-config.paste_roll, config.paste_roll) if config.paste_roll else 0.0
        patch, box, five, mask = _patch(face, target, margin, (roll, flip), softness)
        corner = _free_place(positions, patch.shape[:2], image.shape[:2], np.array(boxes).reshape(-1, 4))
        if corner is None:
            continue
        x, y = corner
        part = image[y : y + patch.shape[0], x : x + patch.shape[1]]
        part[:] = np.rint(part + (patch.astype(np.float32) - part) * mask[..., None]).astype(np.uint8)
        offset = np.array([x, y], np.float32)
        boxes.append(box + np.tile(offset, 2))
        points.append(five + offset)
        ignored.append(False)
    return Scene(
        image,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(ignored, bool),
        np.array(points, np.float32).reshape(-1, 5, 2),
    )


def _patch(
    face: PasteFace, target: float, margin: float, change: tuple[float, bool], softness: float
) -> tuple[Photo, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return a square patch with the face at `target` pixels, its box and points there, and its opacity (s, s).

    The box is that of the ellipse in the face's box, turned with it: a head has no corners.
    """
    (roll, flip), height, width = change, *face.image.shape[:2]
    longer = float(longer_sides(face.box[None])[0])
    size = max(4, round(target * (1 + 2 * margin)))
    centre, half = (face.box[:2] + face.box[2:]) / 2, (face.box[2:] - face.box[:2]) / 2
    affine = similarity(longer * size / target, float(centre[0]), float(centre[1]), size, roll, flip)
    image = warp(face.image, affine, size)
    middle, reach = apply_affine(affine, centre), np.sqrt(np.square(affine[:, :2] * half).sum(axis=1))
    box = np.concatenate([middle - reach, middle + reach]).astype(np.float32)
    points = apply_affine(affine, face.points)
    if flip:
        points = points[list(MIRRORED_POINTS)]
    mask = cv2.warpAffine(np.ones((height, width), np.float32), affine, (size, size), flags=cv2.INTER_NEAREST)
    blur = 2 * int(softness * margin * size / (1 + 2 * margin)) + 1
    mask[[0, -1], :] = 0
    mask[:, [0, -1]] = 0
    return image, box, points, cv2.blur(mask, (blur, blur))


def _free_place(
    positions: NDArray[np.float64], patch: tuple[int, ...], image: tuple[int, ...], boxes: NDArray[np.float32]
) -> tuple[int, int] | None:
    """Return (x, y) of the first place where a patch touches no box, or None."""
    room = np.array([image[1] - patch[1], image[0] - patch[0]])
    if (room < 0).any():
        return None
    for position in positions:
        low = np.floor(position * (room + 1))
        high = low + np.array([patch[1], patch[0]])
        overlaps = ((boxes[:, :2] < high) & (boxes[:, 2:] > low)).all(axis=1)
        if not overlaps.any():
            return int(low[0]), int(low[1])
    return None
