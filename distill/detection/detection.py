"""What a face detector returns: box, score and, of some detectors, five points."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.geometry import Box
from distill.images import Photo


class Detection(NamedTuple):
    """A detected face, in photo pixels (pixel centres are integers).

    Attributes:
        box: in the convention of the training boxes, tight around the 68 points.
        score: in [0, 1].
        points: (5, 2) float32 in the order of scheme `five`: eyes, nose, corners of the mouth; None if the detector
            has none.
        roll: tilt of the face in degrees, clockwise on the screen, where it is known; the box is then turned by it
            around its centre.
    """

    box: Box
    score: float
    points: NDArray[np.float32] | None = None
    roll: float = 0.0


Detector = Callable[[Photo], list[Detection]]
