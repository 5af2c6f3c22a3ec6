"""Extent of the crop that holds every landmark of the training faces.

A landmark outside the crop cannot be learnt. How large the crop has to be depends on the points: the box of a face is
tight around those that a data set annotates, so that the 51 inner points of 300-W in boxes of all 68 need another crop
than five points in boxes of their own. Without an explicit crop, the smallest one is taken that holds every landmark of
nearly all faces after augmentation.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.augment import AugmentConfig
from distill.data.box_sources import DETECTOR, GROUND_TRUTH
from distill.data.config import CropConfig
from distill.data.records import FaceRecord
from distill.errors import ConfigError
from distill.landmarks import Scheme, load_scheme

# Share of the faces whose landmarks all lie inside; the rest are mostly wrong annotations.
INSIDE = 0.999
_SHIFTS = np.arange(-30, 31, 5) / 100
_DECIMALS = 2
# The search needs a few faces, evenly spread; the shares that are reported are of all faces.
_SEARCHED = 1500
# Augmentations of all faces together, and at least of each.
_ALL_DRAWS = 10_000
_DRAWS = 8
_SEED = 0
_NAMED = 5

Notify = Callable[[str], object]


class Shapes(NamedTuple):
    """Landmarks of faces relative to the centre of a face box, in longer sides of the box.

    Attributes:
        points: (n, k, 2), 0 where a landmark is not annotated.
        known: (n, k).
    """

    points: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class Draws:
    """Rotations (n, d, 2, 2), zooms (n, d) and shifts (n, d, 2) of augmented crops, as `augment.sample_affine` has."""

    rotation: NDArray[np.float64]
    zoom: NDArray[np.float64]
    shift: NDArray[np.float64]


def resolve_crop(
    crop: CropConfig, records: Sequence[FaceRecord], scheme: str, boxes: Sequence[str], augment: AugmentConfig,
    notify: Notify = print, usual: Mapping[str, float] | None = None,
) -> CropConfig:  # fmt: skip
    """Return the crop of a training with its scale and shift, and report in one line what it holds.

    Args:
        crop: values left out are chosen so that the crop holds every landmark after augmentation.
        records: training faces.
        scheme: of the landmarks to learn.
        boxes: sources of the face boxes that are trained on; the crop of detector boxes is fitted to the first.
        augment: of the training faces.
        notify: receives the line.
        usual: `scale` and `shift_y` for true boxes that the data set is known by; taken where no crop is given and it
            holds these faces.

    Raises:
        ConfigError: no face has a landmark, or an explicit crop outside which landmarks of some faces lie, unaugmented.
    """
    meaning = load_scheme(scheme)
    shapes = shapes_of([record.in_scheme(scheme) for record in records], boxes)
    if not len(shapes.points):
        raise ConfigError(f"no training face has a marked point and a {' or '.join(boxes)} box; choose other faces")
    spread = np.linspace(0, len(shapes.points) - 1, min(_SEARCHED, len(shapes.points))).astype(int)
    sample = Shapes(shapes.points[spread], shapes.known[spread])
    reason = "from the training faces" if crop.scale is None else "as given"
    if usual and crop.scale is None and crop.shift_y is None and boxes[0] == GROUND_TRUTH:
        known = replace(crop, scale=usual["scale"], shift_y=usual["shift_y"])
        with suppress(ConfigError):
            _require_inside(known, shapes, sample, augment, meaning)
            crop, reason = known, "of the data set's preset"
    scale, shift_y = _smallest(sample, augment, crop.scale, crop.shift_y)
    chosen = replace(crop, scale=scale, shift_y=shift_y)
    if crop.scale is not None:
        _require_inside(chosen, shapes, sample, augment, meaning)
    share = float((needed_scale(shapes, draw(len(shapes.points), augment), shift_y) <= scale).mean())
    notify(
        f"Crop ({reason}): scale {scale:g}, shift_y {shift_y:g} of the {boxes[0]} box; it holds every landmark of "
        f"{100 * share:.1f} % of {len(records)} faces after augmentation"
    )
    return chosen


def shapes_of(records: Sequence[FaceRecord], boxes: Sequence[str]) -> Shapes:
    """Return the landmarks of every face relative to each of its boxes of these sources, without faces without any."""
    points, known = [], []
    for record in records:
        if not record.known.any():
            continue
        for source in boxes:
            box = record.boxes.get(source)
            if box is not None and source != DETECTOR:
                relative = (record.landmarks - np.array(box.centre)) / max(box.width, box.height)
                points.append(np.where(record.known[:, None], relative, 0.0))
                known.append(record.known)
    return Shapes(np.array(points, np.float64), np.array(known, bool))


def draw(count: int, augment: AugmentConfig, draws: int | None = None) -> Draws:
    """Draw augmented crops of `count` faces; the same ones for the same arguments."""
    draws = draws or max(_DRAWS, -(-_ALL_DRAWS // count))
    rng = np.random.default_rng(_SEED)
    rotation, right, down = np.clip(rng.standard_normal((3, count, draws)), -2, 2)
    angle = np.deg2rad(augment.rotate * rotation)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    zoom = (1 + augment.scale) ** rng.uniform(-1, 1, (count, draws))
    return Draws(matrix, zoom, augment.shift * np.stack([right, down], -1))


def needed_scale(shapes: Shapes, draws: Draws, shift_y: float) -> NDArray[np.float64]:
    """Return the scale (n, d) that just holds every landmark of each augmented face; 0 for one without landmarks.

    In units of the box, the crop of scale s covers |R (p - c) - s R t| <= s z / 2 for points p around the crop's
    centre c, rotation R, shift t and zoom z; solved for s on each side of both axes. Only the outermost landmarks
    decide.
    """
    faces, count = draws.zoom.shape
    around = np.where(shapes.known[:, None], (shapes.points - [0, shift_y]).swapaxes(1, 2), 0.0)
    turned = draws.rotation.reshape(faces, 2 * count, 2) @ around
    outer = np.stack([turned.max(-1), turned.min(-1)]).reshape(2, faces, count, 2)
    moved = np.einsum("ndab,ndb->nda", draws.rotation, draws.shift)
    half = draws.zoom[:, :, None] / 2
    needed: NDArray[np.float64] = np.maximum(outer / (half + moved), -outer / (half - moved)).max((0, -1))
    return needed


def _smallest(
    shapes: Shapes, augment: AugmentConfig, scale: float | None, shift_y: float | None
) -> tuple[float, float]:
    """Return (scale, shift_y) of the smallest crop that holds the landmarks; given values stay."""
    draws = draw(len(shapes.points), augment)
    shifts = _SHIFTS if shift_y is None else np.array([shift_y])
    needed = [float(np.quantile(needed_scale(shapes, draws, shift), INSIDE, method="higher")) for shift in shifts]
    best = int(np.argmin(needed))
    # Rounded up, as what is rounded down cuts off what it should just hold.
    fitted = float(np.ceil(needed[best] * 10**_DECIMALS) / 10**_DECIMALS)
    return scale if scale is not None else fitted, float(shifts[best])


def _require_inside(crop: CropConfig, shapes: Shapes, sample: Shapes, augment: AugmentConfig, scheme: Scheme) -> None:
    """Refuse a crop that, unaugmented, ends before the landmarks of more faces than `INSIDE` allows."""
    single = Shapes(shapes.points.reshape(-1, 1, 2), shapes.known.reshape(-1, 1))
    plain = draw(len(single.points), AugmentConfig.none(), 1)
    outside = (needed_scale(single, plain, crop.shift_y or 0.0) > (crop.scale or 0.0)).reshape(shapes.known.shape)
    share = float(outside.any(-1).mean())
    if share <= 1 - INSIDE:
        return
    group_of = {point: name for name, points in scheme.groups.items() for point in points}
    shares = outside.mean(0)
    worst = [int(point) for point in np.argsort(-shares, kind="stable") if shares[point] > 0]
    named = ", ".join(f"{point} ({group_of[point]}, {100 * shares[point]:.0f} %)" for point in worst[:_NAMED])
    more = f" and {len(worst) - _NAMED} more" if len(worst) > _NAMED else ""
    scale, shift_y = _smallest(sample, augment, None, None)
    raise ConfigError(
        f"--data.crop: scale {crop.scale:g}, shift_y {crop.shift_y:g} cuts points off in {100 * share:.1f} % of the "
        f"training faces: {named}{more}; use scale {scale:g}, shift_y {shift_y:g}, which holds them, or leave both out"
    )
