"""Square training images from photos: crops around a face of chosen size, mosaics of four, mirroring."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.photos.config import SceneConfig
from distill.geometry import Affine, apply_affine, similarity
from distill.images import Photo, warp

# Where a mirrored face's points go in the scheme `five`: eyes and corners of the mouth change places.
MIRRORED_POINTS = (1, 0, 2, 4, 3)


class Scene(NamedTuple):
    """An image and its faces, in its pixels.

    Attributes:
        image: (h, w, 3) uint8.
        boxes: (k, 4) float32, x0, y0, x1, y1.
        ignored: (k,) bool.
        points: (k, 5, 2) float32, NaN where a face has none.
    """

    image: Photo
    boxes: NDArray[np.float32]
    ignored: NDArray[np.bool_]
    points: NDArray[np.float32]


def longer_sides(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the longer side of each box (k, 4)."""
    return np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """Draw a positive number whose logarithm is uniform between those of two limits."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def sample_square(scene: Scene, size: int, config: SceneConfig, rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw (side, centre x, centre y) of the square of a photo that becomes an image of `size` pixels.

    Mostly a face is chosen and the square such that the face has a size drawn between `smallest` and `largest` and
    lies anywhere in it (PyramidBox's data-anchor sampling). A photo is scaled up by `enlarge` at most, and down until
    its longer side is 1 / `surround` of the square's. The square does not reach over an edge that it could avoid.
    """
    height, width = scene.image.shape[:2]
    usable = np.flatnonzero(~scene.ignored)
    target = log_uniform(config.smallest, config.largest, rng)
    draws = rng.random(2)
    least, most = size / config.enlarge, config.surround * max(height, width)
    least = min(least, most)
    photo = np.array([width, height], float)
    if not len(usable) or rng.random() < config.background:
        side = log_uniform(least, most, rng)
        centre = draws * (photo - side) + side / 2 - 0.5
        return side, float(centre[0]), float(centre[1])
    box = scene.boxes[rng.choice(usable)].astype(float)
    face = float(longer_sides(box[None])[0])
    side = float(np.clip(face * size / target, least, most))
    # The face lies wholly inside, where it fits.
    centre = (box[:2] + box[2:]) / 2 + (draws - 0.5) * max(0.0, side - face)
    first, last = side / 2 - 0.5, photo - side / 2 - 0.5
    centre = np.clip(centre, np.minimum(first, last), np.maximum(first, last))
    return side, float(centre[0]), float(centre[1])


def cut(
    scene: Scene, square: tuple[float, float, float], size: int, flip: bool, fill: int, ignore_below: float
) -> Scene:
    """Return a square of a scene as an image of `size` pixels; outside of the photo it is grey.

    A face whose centre is outside is left out if it is wholly outside, else ignored, as only a part of it is to be
    seen; so is one that gets a longer side below `ignore_below` pixels. Boxes are cut off at the edge.
    """
    affine = similarity(*square, size=size, flip=flip)
    image = filled_outside(warp(scene.image, affine, size), affine, scene.image.shape[:2], fill)
    moved = apply_affine(affine, scene.boxes.reshape(-1, 2, 2))
    boxes = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
    points = apply_affine(affine, scene.points)
    if flip:
        points = points[:, list(MIRRORED_POINTS)]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    low, high = -0.5, size - 0.5
    outside = ((centres < low) | (centres > high)).any(axis=1)
    clipped = np.clip(boxes, low, high)
    kept = (clipped[:, 2:] - clipped[:, :2] > 1).all(axis=1)
    ignored = scene.ignored | outside | (longer_sides(boxes) < ignore_below)
    return Scene(image, clipped[kept], ignored[kept], points[kept])


def filled_outside(image: Photo, affine: Affine, photo: tuple[int, ...], fill: int) -> Photo:
    """Paint grey what lies outside of a photo of (height, width); the affine has no rotation."""
    height, width = photo[:2]
    edges = apply_affine(affine, np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]))
    x0, y0 = np.maximum(0, np.floor(edges.min(axis=0) + 0.5).astype(int))
    x1, y1 = np.maximum(0, np.ceil(edges.max(axis=0) + 0.5).astype(int))
    image[:y0] = image[y1:] = fill
    image[:, :x0] = image[:, x1:] = fill
    return image


def mosaic(parts: list[Scene]) -> Scene:
    """Return n x n square scenes of one size as one image, row by row."""
    per_row = math.isqrt(len(parts))
    size = parts[0].image.shape[0]
    rows = [
        np.concatenate([part.image for part in parts[first : first + per_row]], axis=1)
        for first in range(0, len(parts), per_row)
    ]
    offsets = [np.array([index % per_row, index // per_row], np.float32) * size for index in range(len(parts))]
    boxes = [part.boxes + np.tile(offset, 2) for part, offset in zip(parts, offsets, strict=True)]
    points = [part.points + offset for part, offset in zip(parts, offsets, strict=True)]
    ignored = np.concatenate([part.ignored for part in parts])
    return Scene(np.concatenate(rows), np.concatenate(boxes), ignored, np.concatenate(points))


# Pixels beyond the edge that an ignored region at it reaches; further than any prior box.
_BEYOND = 1e5


def ignored_beyond_edges(scene: Scene) -> Scene:
    """Return the scene with ignored regions that touch an edge continued beyond it.

    A prior box at the edge lies largely outside of the image; what it shows of the image is what counts.
    """
    height, width = scene.image.shape[:2]
    boxes = scene.boxes.copy()
    ignored = boxes[scene.ignored]
    last = np.array([width, height, width, height], np.float32) - 0.5
    ignored[ignored <= -0.5] = -_BEYOND
    ignored[ignored >= last] = _BEYOND
    boxes[scene.ignored] = ignored
    return scene._replace(boxes=boxes)
