"""Head pose estimation from landmarks: for evaluation by pose and for networks trained with pose labels."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from distill.data.synthetic.parameters import Expression, Identity
from distill.data.synthetic.render import Person
from distill.errors import ConfigError
from distill.landmarks import convert, load_scheme

# The visible outline of a turned face moves over the head, so it does not determine the rotation.
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


def head_pose(points: Float[Tensor, "*b k 2"], scheme: str) -> Float[Tensor, "*b 3"]:
    """Fit a neutral head to landmarks, seen from far away (scaled orthographic), by least squares.

    It does not synchronise with the device, so losses may call it.

    Args:
        points: in pixels, or in any other unit; finite.
        scheme: of the points.

    Returns:
        yaw, pitch and roll in degrees: positive yaw turns to the viewer's right, positive pitch lifts the face,
        positive roll tilts it clockwise on the screen. Within about five degrees of the truth on generated faces.
        For coinciding points the angles are finite and meaningless.

    Raises:
        ConfigError: a scheme whose points the head does not have.
    """
    fixed, solve = _neutral(scheme, points.device, points.dtype)
    visible = points[..., fixed, :]
    x, down = _nearest_rotation((solve @ (visible - visible.mean(-2, keepdim=True))).mT).unbind(-2)
    y = -down
    toward = torch.linalg.cross(x, y)
    yaw = torch.atan2(-toward[..., 0], toward[..., 2])
    pitch = -torch.asin(toward[..., 1].clamp(-1, 1))
    roll = -torch.atan2(-x[..., 1], y[..., 1])
    return torch.stack([yaw, pitch, roll], -1).rad2deg()


@lru_cache
def _neutral(scheme: str, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return which points (f) do not slide on a head, and what (3, f) solves `head @ affine = points` for them."""
    groups = load_scheme(scheme).groups
    fixed = sorted(index for name, members in groups.items() if name not in _SLIDES for index in members)
    head = head_points(scheme)[fixed]
    solve = np.linalg.pinv(head - head.mean(0))
    return torch.tensor(fixed, device=device), torch.tensor(solve, device=device, dtype=dtype)


def _nearest_rotation(affine: Float[Tensor, "*b 2 3"]) -> Float[Tensor, "*b 2 3"]:
    """Return the two orthonormal rows nearest to an affine's up to scale, `(A A^T)^(-1/2) A`: its polar factor.

    The root of a symmetric 2 x 2 matrix M of determinant s^2 is (M + s) / sqrt(trace M + 2 s).
    """
    gram = affine @ affine.mT
    a, b = gram[..., 0, :].unbind(-1)
    d = gram[..., 1, 1]
    s = (a * d - b * b).clamp_min(0).sqrt()
    adjugate = torch.stack([torch.stack([d + s, -b], -1), torch.stack([-b, a + s], -1)], -2)
    root = (s * (a + d + 2 * s).sqrt()).clamp_min(torch.finfo(affine.dtype).tiny)
    return adjugate @ affine / root[..., None, None]
