"""How a head is turned, read off its landmarks: for test results by pose and for nets trained with pose labels."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.parameters import Expression, Identity
from distill.data.synthetic.render import Person
from distill.errors import ConfigError
from distill.landmarks import convert, load_scheme

# The visible outline of a turned face slides over the head, so it says nothing about the turn.
_SLIDES = ("jaw", "contour", "outline")


@lru_cache
def head_points(scheme: str) -> NDArray[np.float64]:
    """Return the landmarks (k, 3) of the neutral generated head in centimetres: x to the viewer's right, y up, z near.

    Raises:
        ConfigError: a scheme whose points the head does not have.
    """
    person = Person.build(Identity(), Expression())
    grid = person.grid.reshape(-1, 3)
    for source, (corners, weights) in person.anchors.items():
        if source == scheme or source in load_scheme(scheme).sources:
            points = np.einsum("kc,kcd->kd", weights, grid[corners])
            flat, depth = (convert(points[:, axes], source, scheme) for axes in ([0, 1], [2, 2]))
            return np.column_stack([flat, depth[:, :1]]).astype(float)
    raise ConfigError(f"the generated head has no points of scheme {scheme}: no map from {' or '.join(person.anchors)}")


def head_pose(points: NDArray[np.floating], scheme: str) -> NDArray[np.float64]:
    """Fit a neutral head to landmarks, seen from far away (scaled orthographic), by least squares.

    Args:
        points: (..., k, 2) pixels.
        scheme: of the points.

    Returns:
        (..., 3) yaw, pitch and roll in degrees: positive yaw turns to the viewer's right, positive pitch lifts the
        face, positive roll tilts it clockwise on the screen. Within about five degrees of the truth on generated faces.

    Raises:
        ConfigError: a scheme whose points the head does not have.
    """
    groups = load_scheme(scheme).groups
    fixed = sorted(index for name, members in groups.items() if name not in _SLIDES for index in members)
    model = head_points(scheme)[fixed]
    model = model - model.mean(0)
    seen = np.asarray(points, np.float64)[..., fixed, :] * [1, -1]
    seen = seen - seen.mean(-2, keepdims=True)
    # seen = model @ affine; the nearest scaled rotation has the affine's singular vectors.
    affine = np.swapaxes(np.linalg.pinv(model) @ seen, -1, -2)
    left, _, right = np.linalg.svd(affine, full_matrices=False)
    x, y = np.moveaxis(left @ right, -2, 0)
    toward = np.cross(x, y)
    yaw = np.arctan2(-toward[..., 0], toward[..., 2])
    pitch = -np.arcsin(np.clip(toward[..., 1], -1, 1))
    roll = -np.arctan2(-x[..., 1], y[..., 1])
    return np.rad2deg(np.stack([yaw, pitch, roll], -1))
