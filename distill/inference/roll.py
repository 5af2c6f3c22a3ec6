"""Tilted faces: which to cut out again, turned upright by the roll of their landmarks."""

from typing import Any

from distill.detection.detection import Detection
from distill.errors import ConfigError
from distill.geometry import Box, angle_between, roll_of_points, turned_box_of_points
from distill.inference.face import Face
from distill.landmarks import Scheme
from distill.landmarks.parse import EyeEnds

# Chosen on development faces (results/studies/roll.json).
MAX_ROLL = 15.0
# Crops of a face after its first one; a third one gives no further gain there.
MORE_CROPS = 2
# `FaceDetector`'s boxes are tight around these points, so that the points give such a box as well. Of a tilted face it
# is nearer to that of an upright one than the detector's, which is too large and off the centre.
_WHOLE_FACE = "ibug68"
# Ratio of the sides of two boxes of one face, beyond which the points are not on it.
_LARGEST_CHANGE = 3


def eyes_of(scheme: Scheme) -> EyeEnds | None:
    """Return the outer eye corners of a scheme, else its pupils, as the points whose means they are; None without."""
    return next(iter(scheme.eye_ends.values()), None)


def bounds_the_face(scheme: Scheme) -> bool:
    """Whether the tight box of a scheme's points is the box that detectors find."""
    return scheme.name == _WHOLE_FACE


def roll_settings(scheme: Scheme) -> dict[str, Any] | None:
    """Return what another language needs to cut out tilted faces again, as plain data; None of points without eyes.

    `tight` is for boxes of `FaceDetector`, see `turned_crop`.
    """
    eyes = eyes_of(scheme)
    if eyes is None:
        return None
    return {"eyes": eyes, "max_roll": MAX_ROLL, "more_crops": MORE_CROPS, "tight": bounds_the_face(scheme)}


def turned_crop(face: Face, eyes: EyeEnds | None, max_roll: float, tight: bool) -> Detection | None:
    """Return where to cut out a face again, upright; None where it is upright in its crop to within `max_roll`.

    Args:
        face: with the landmarks that its crop gave.
        eyes: see `eyes_of`.
        max_roll: in degrees.
        tight: take the tight box of the landmarks; by default the face's own.
    """
    if eyes is None:
        return None
    roll = roll_of_points(face.landmarks, eyes)
    if not angle_between(roll, face.crop_roll) > max_roll:  # also of landmarks that are not finite
        return None
    box = turned_box_of_points(face.landmarks, roll)
    return Detection(box if tight and _is_of_size(box, face.box) else face.box, face.score, roll=roll)


def _is_of_size(box: Box, other: Box) -> bool:
    """Whether a box is about as large as another."""
    side = max(other.width, other.height)
    return side / _LARGEST_CHANGE < min(box.width, box.height) and max(box.width, box.height) < side * _LARGEST_CHANGE


def require_max_roll(value: float, scheme: Scheme) -> float:
    """Return a largest roll unchanged.

    Raises:
        ConfigError: it is not in [0, 180], or set for points without eyes, which tell no roll.
    """
    if not 0 <= value <= 180:
        raise ConfigError(f"--max_roll {value:g} is no angle; give 0 to 180 degrees, 180 turns no crop")
    if value != MAX_ROLL and eyes_of(scheme) is None:
        raise ConfigError(f"--max_roll has no effect: the points of {scheme.name} have no eyes; leave it out")
    return value
