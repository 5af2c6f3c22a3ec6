"""Pixel convention, face boxes and the affine transform of crops.

Pixel centres are integers: the top-left pixel of a photo covers [-0.5, 0.5] x [-0.5, 0.5] and its centre is (0, 0);
x runs right, y down. A coordinate *normalised* to an image of width w is (x + 0.5) / w, so 0 and 1 are the outer edges
of the first and last pixel, whatever the resolution: a heatmap cell j of w_map cells is centred at (j + 0.5) / w_map,
which is pixel (j + 0.5) * stride - 0.5 of the image. Encoders, decoders, crops, flips, exported models and the
submission all use these functions and no others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError

Points = NDArray[np.float32]
Affine = NDArray[np.float64]


class Box(NamedTuple):
    """A rectangle in pixel coordinates; the corners are positions, so width is x1 - x0."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True)
class CropSpec:
    """How a face box becomes the square input crop of a network; stored with the weights.

    Attributes:
        size: side of the crop in pixels.
        scale: side of the crop in units of the longer side of the face box.
        shift_y: how far the crop's centre lies below the box's, in longer sides of the box.
    """

    size: int = 128
    scale: float = 1.0
    shift_y: float = 0.0

    def __post_init__(self) -> None:
        if not (self.size > 0 and self.scale > 0):
            raise ConfigError(f"a crop of {self.size} px and {self.scale} times the face is empty; give both above 0")

    def side_and_centre(self, box: Box, roll: float = 0.0) -> tuple[float, float, float]:
        """Return (side, x, y) of the square cut from the photo, in photo pixels.

        Args:
            box: turned by `roll` around its centre.
            roll: tilt of the face in degrees, clockwise on the screen.
        """
        longer = max(box.width, box.height)
        x, y = box.centre
        below, angle = self.shift_y * longer, math.radians(roll)
        return longer * self.scale, x - math.sin(angle) * below, y + math.cos(angle) * below


def box_of_points(points: NDArray[np.floating]) -> Box:
    """Return the tight box of points (k, 2)."""
    low, high = points.min(0), points.max(0)
    return Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def turned_box_of_points(points: NDArray[np.floating], roll: float) -> Box:
    """Return the box that is tight around points (k, 2) when it is turned around its centre by `roll`.

    Args:
        points: of a face.
        roll: tilt of the face in degrees, clockwise on the screen.
    """
    upright = similarity(1.0, 0.0, 0.0, 1, -roll)
    tight = box_of_points(apply_affine(upright, points))
    x, y = apply_affine(invert_affine(upright), np.array(tight.centre)).tolist()
    half_width, half_height = tight.width / 2, tight.height / 2
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def roll_of_points(points: NDArray[np.floating], eyes: tuple[Sequence[int], Sequence[int]]) -> float:
    """Return the roll of a face in [-180, 180] degrees: how far it is tilted, clockwise on the screen.

    Args:
        points: (k, 2), in pixels.
        eyes: the points whose means the line between the eyes joins: subject's right, left.
    """
    right, left = (points[list(eye)].mean(0) for eye in eyes)
    return math.degrees(math.atan2(left[1] - right[1], left[0] - right[0]))


def angle_between(degrees: float, other: float) -> float:
    """Return the angle in [0, 180] degrees between two directions."""
    return abs((degrees - other + 180) % 360 - 180)


def normalise(points: NDArray[np.floating], width: int, height: int) -> Points:
    """Pixels (..., 2) -> coordinates in [0, 1] of an image of this size."""
    return ((points + 0.5) / np.array([width, height])).astype(np.float32)


def denormalise(points: NDArray[np.floating], width: int, height: int) -> Points:
    """Inverse of `normalise`."""
    return (points * np.array([width, height]) - 0.5).astype(np.float32)


def similarity(side: float, x: float, y: float, size: int, degrees: float = 0.0, flip: bool = False) -> Affine:
    """Return the 2x3 affine that takes a square of the photo to a crop of `size` pixels.

    The square has side `side`, is centred at (x, y) and is turned by `degrees` (counter-clockwise on the screen, so
    the content of the crop turns clockwise); `flip` mirrors the crop left to right afterwards (x' = size - 1 - x).
    """
    zoom = size / side
    angle = math.radians(degrees)
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    middle = (size - 1) / 2
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    if flip:
        matrix[0] *= -1
    matrix[:, 2] = middle - matrix[:, :2] @ np.array([x, y])
    return matrix


def crop_affine(box: Box, spec: CropSpec, roll: float = 0.0) -> Affine:
    """Return the 2x3 affine from photo pixels to crop pixels for an unaugmented crop.

    Args:
        box: turned by `roll` around its centre.
        spec: extent of the crop.
        roll: tilt of the face in degrees, clockwise on the screen; the crop shows it upright.
    """
    return similarity(*spec.side_and_centre(box, roll), size=spec.size, degrees=-roll)


def apply_affine(matrix: Affine, points: NDArray[np.floating]) -> Points:
    """Move points (..., 2) by a 2x3 affine."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def zoom_of(matrix: Affine) -> float:
    """Return how many pixels of its target a 2x3 affine without shear makes of one of its source."""
    (a, b, _), (d, e, _) = matrix.tolist()
    return math.sqrt(abs(a * e - b * d))


def invert_affine(matrix: Affine) -> Affine:
    """Return the inverse of a 2x3 affine."""
    # In plain numbers: the call of LAPACK for two rows takes ten times as long, and every crop needs several.
    (a, b, c), (d, e, f) = matrix.tolist()
    scale = 1 / (a * e - b * d)
    a, b, d, e = e * scale, -b * scale, -d * scale, a * scale
    # Without negative zeros, so that equal matrices have equal bytes.
    return np.array([[a, b, -(a * c + b * f)], [d, e, -(d * c + e * f)]]) + 0.0
