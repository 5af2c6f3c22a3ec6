"""Camera: head space in centimetres to pixels.

Head space: x to the viewer's right, y up, z towards the viewer, origin between the ears at the height of the eyes.
Positive yaw turns the face to the viewer's right, positive pitch lifts it, positive roll tilts it clockwise on the
screen. The head turns on a pivot in the neck; the shoulders follow a fraction of the way.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_PIVOT = np.array([0.0, -6.0, 0.0])
_BODY_FOLLOWS = (0.3, 0.15, 0.2)


@lru_cache(maxsize=64)
def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Return the 3x3 matrix of a pose in degrees: yaw first, then pitch, then roll."""
    a, b, c = np.deg2rad([yaw, -pitch, -roll])
    yawed = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    tilt = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return tilt @ nod @ yawed


@dataclass(frozen=True)
class Camera:
    """A pose and a perspective projection.

    Attributes:
        pose: yaw, pitch and roll in degrees.
        distance: from the camera to the head's origin in cm.
        scale: pixels per cm at the head's origin.
        centre: pixel of the head's origin.
    """

    pose: tuple[float, float, float]
    distance: float
    scale: float
    centre: tuple[float, float]

    def to_view(self, points: NDArray[np.floating], body: NDArray[np.floating] | float = 0.0) -> NDArray[np.float64]:
        """Points (..., 3) of head space -> view space; `body` (...,) in [0, 1] is how much a point belongs to it."""
        yaw, pitch, roll = self.pose
        local = points - _PIVOT
        head = local @ rotation(yaw, pitch, roll).T
        if np.any(body):
            still = rotation(yaw * _BODY_FOLLOWS[0], pitch * _BODY_FOLLOWS[1], roll * _BODY_FOLLOWS[2])
            head += np.asarray(body)[..., None] * (local @ still.T - head)
        return head + _PIVOT

    def turn_normals(self, normals: NDArray[np.floating], body: NDArray[np.floating]) -> NDArray[np.float64]:
        """Normals (..., 3) of head space -> view space, for vertices that belong to the shoulders by `body` (...,)."""
        yaw, pitch, roll = self.pose
        head = normals @ rotation(yaw, pitch, roll).T
        still = rotation(yaw * _BODY_FOLLOWS[0], pitch * _BODY_FOLLOWS[1], roll * _BODY_FOLLOWS[2])
        return head + body[..., None] * (normals @ still.T - head)

    def project(self, view: NDArray[np.floating]) -> NDArray[np.float64]:
        """View space (..., 3) -> pixels (..., 2)."""
        scale = self.scale * self.distance / (self.distance - view[..., 2])
        x = self.centre[0] + scale * view[..., 0]
        y = self.centre[1] - scale * view[..., 1]
        return np.stack([x, y], -1)
