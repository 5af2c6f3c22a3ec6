"""Robustness: the error on degraded photos, in the tests of the thesis, on the same faces for every model.

"Face and Facial Landmark Detection on Mobile Devices" (thesis, sections 4.1.2 and 4.1.3) covers faces with circles,
ellipses and rectangles of random place, size and colour (`shapes`; `occlusion` are rectangles alone), shrinks photos
(figures 15 and 16) and shrinks them and scales them up again (figures 18 and 19). Noise and boxes that are a little
off are what a camera and a detector add.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.evaluate.evaluate import Change, View, measure
from distill.evaluate.faces import FaceSet
from distill.evaluate.result import Evaluation
from distill.geometry import Affine, Box, apply_affine
from distill.inference.backend import Backend

# Test -> what its level means, and its levels.
TESTS: Mapping[str, tuple[str, tuple[float, ...]]] = MappingProxyType(
    {
        "occlusion": ("share of the face box covered", (0.1, 0.2, 0.3, 0.4, 0.5)),
        "shapes": ("share of the face box covered by a circle, an ellipse or a rectangle", (0.1, 0.2, 0.3, 0.4, 0.5)),
        "resolution": ("photo shrunk by", (2, 3, 4, 8, 16, 32, 64)),
        "upscaling": ("photo shrunk and scaled up again by", (2, 3, 4, 8, 16, 32, 64)),
        "noise": ("standard deviation of Gaussian noise, of the full range", (0.01, 0.05, 0.1, 0.2)),
        "box jitter": ("standard deviation of the box's centre and log size, of its size", (0.025, 0.05, 0.1)),
    }
)


def change(test: str, level: float) -> Change:
    """Return the change of one test at one level."""
    make = {
        "occlusion": _occlude,
        "shapes": _cover,
        "resolution": _shrink,
        "upscaling": _blur,
        "noise": _add_noise,
        "box jitter": _move_box,
    }[test]
    return lambda view, rng: make(view, rng, level)


def _occlude(view: View, rng: np.random.Generator, share: float) -> View:
    """One rectangle of random shape, position and colour that lies within the face box."""
    first, last = _place(view.box, _sides(view.box, share, rng), rng)
    photo = view.photo.copy()
    photo[first[1] : last[1] + 1, first[0] : last[0] + 1] = rng.integers(0, 256, 3)
    return view._replace(photo=photo)


def _cover(view: View, rng: np.random.Generator, share: float) -> View:
    """One circle, ellipse or rectangle of random position and colour that lies within the face box."""
    shape = rng.choice(["circle", "ellipse", "rectangle"])
    if shape == "rectangle":
        return _occlude(view, rng, share)
    # An ellipse fills a share of pi / 4 of the rectangle around it.
    around = 4 * share / np.pi
    side = np.sqrt(around * view.box.width * view.box.height)
    fits = side <= min(view.box.width, view.box.height)
    sides = (side, side) if shape == "circle" and fits else _sides(view.box, around, rng)
    first, last = _place(view.box, sides, rng)
    photo = view.photo.copy()
    y, x = np.ogrid[first[1] : last[1] + 1, first[0] : last[0] + 1]
    centre, half = (first + last) / 2, (last - first + 1) / 2
    inside = ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 <= 1
    part = photo[first[1] : last[1] + 1, first[0] : last[0] + 1]
    part[inside[: part.shape[0], : part.shape[1]]] = rng.integers(0, 256, 3)
    return view._replace(photo=photo)


def _sides(box: Box, share: float, rng: np.random.Generator) -> tuple[float, float]:
    """Width and height of a random rectangle of this share of the box; neither side is longer than the box's."""
    width = float(rng.uniform(max(share, np.sqrt(share) / 1.5), min(1.0, np.sqrt(share) * 1.5)))
    return width * box.width, share / width * box.height


def _place(box: Box, sides: tuple[float, float], rng: np.random.Generator) -> NDArray[np.int64]:
    """First and last pixel (2, 2), x before y, of a rectangle at a random position in the box, inside the photo."""
    x0 = box.x0 + float(rng.uniform(0, 1 - sides[0] / box.width)) * box.width
    y0 = box.y0 + float(rng.uniform(0, 1 - sides[1] / box.height)) * box.height
    first = np.maximum(np.round([x0, y0]), 0).astype(int)
    last = np.maximum(np.round([x0 + sides[0], y0 + sides[1]]), 0).astype(int)
    return np.stack([first, last])


def _scaled(view: View, factor: float) -> tuple[Affine, tuple[int, int]]:
    """The affine to a photo shrunk by `factor` to whole pixels, at least one, and its (width, height)."""
    height, width = view.photo.shape[:2]
    size = max(1, round(width / factor)), max(1, round(height / factor))
    x, y = size[0] / width, size[1] / height
    # Pixel centres: the outer edges of both photos coincide.
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]]), size


def _shrink(view: View, rng: np.random.Generator, factor: float) -> View:
    del rng
    affine, size = _scaled(view, factor)
    corners = apply_affine(affine, np.array([[view.box.x0, view.box.y0], [view.box.x1, view.box.y1]]))
    box = Box(*(float(value) for value in corners.ravel()))
    return View(cv2.resize(view.photo, size, interpolation=cv2.INTER_AREA), box, affine)


def _blur(view: View, rng: np.random.Generator, factor: float) -> View:
    del rng
    _, size = _scaled(view, factor)
    height, width = view.photo.shape[:2]
    small = cv2.resize(view.photo, size, interpolation=cv2.INTER_AREA)
    return view._replace(photo=cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _add_noise(view: View, rng: np.random.Generator, sigma: float) -> View:
    noise = rng.standard_normal(view.photo.shape, np.float32) * (255 * sigma)
    return view._replace(photo=np.clip(np.round(view.photo + noise), 0, 255).astype(np.uint8))


def _move_box(view: View, rng: np.random.Generator, level: float) -> View:
    box = view.box
    side = max(box.width, box.height)
    (x, y), zoom = np.array(box.centre) + level * side * rng.standard_normal(2), np.exp(level * rng.standard_normal())
    width, height = box.width * zoom / 2, box.height * zoom / 2
    return view._replace(box=Box(float(x - width), float(y - height), float(x + width), float(y + height)))


def robustness(
    backend: Backend,
    faces: FaceSet,
    plain: Evaluation,
    progress: bool = True,
    tests: Sequence[str] = tuple(TESTS),
) -> dict[str, Any]:
    """Measure a model on faces at every level of every test.

    Args:
        plain: what it does on these faces as they are, which is level 0; whether it averages mirror images, too.
        tests: names in `TESTS`.

    Returns:
        by test: what `level` means, and the list of `points`: level (0: as they are), NME with its 95 % interval and
        FR@10, in percent.
    """
    changes = {f"{test} {level:g}": change(test, level) for test in tests for level in TESTS[test][1]}
    flip = plain.protocol.flip_tta
    found = measure(backend, faces, plain.model, changes, flip_tta=flip, progress=progress)
    return {
        test: {
            "level": TESTS[test][0],
            "normaliser": plain.primary,
            "points": [
                _point(0.0, plain),
                *(_point(level, found[f"{test} {level:g}"]) for level in TESTS[test][1]),
            ],
        }
        for test in tests
    }


def _point(level: float, evaluation: Evaluation) -> dict[str, float]:
    values, (low, high) = evaluation.summary(), evaluation.interval()
    return {
        "level": level,
        "nme_percent": 100 * values["nme"],
        "low_percent": 100 * low,
        "high_percent": 100 * high,
        "fr10_percent": 100 * values["fr10"],
    }
