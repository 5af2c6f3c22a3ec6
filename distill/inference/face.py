"""A face with its landmarks, as predicted in a photo or followed in a video."""

import math
from typing import NamedTuple

from distill.geometry import Box, Points
from distill.inference.backend import Confidence
from distill.inference.confidence import face_confidence


class Face(NamedTuple):
    """A face of a photo, in photo pixels (pixel centres are integers).

    Attributes:
        box: the detector's box, in the convention of the training boxes; of a followed face, that box moved with it;
            of a tilted face, the box that it was cut out with, turned by `crop_roll` around its centre.
        landmarks: (k, 2) float32.
        score: the detector's, in [0, 1].
        point_confidence: (k,) float32 in [0, 1]; None where the model gives none.
        placed: whether the mean of `point_confidence` reaches the landmarker's `min_confidence`; None without it.
        id: number of the face in a video, from 1; None of a photo.
        crop_roll: degrees by which its crop is turned, clockwise on the screen; 0 of an upright face.
    """

    box: Box
    landmarks: Points
    score: float
    point_confidence: Confidence | None = None
    placed: bool | None = None
    id: int | None = None
    crop_roll: float = 0.0

    @property
    def bounds(self) -> Box:
        """Box with sides along the axes that holds the turned `box`; `box` itself of an upright face."""
        if not self.crop_roll:
            return self.box
        (x, y), angle = self.box.centre, math.radians(self.crop_roll)
        across, down = abs(math.cos(angle)), abs(math.sin(angle))
        half_width = (self.box.width * across + self.box.height * down) / 2
        half_height = (self.box.width * down + self.box.height * across) / 2
        return Box(x - half_width, y - half_height, x + half_width, y + half_height)

    @property
    def confidence(self) -> float | None:
        """Confidence of the landmarks of the whole face in [0, 1]; None where the model gives none."""
        return None if self.point_confidence is None else face_confidence(self.point_confidence)
