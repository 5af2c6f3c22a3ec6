"""Surfaces of ears, neck and shoulders."""

import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.curves import gauss, smoothstep, spline
from distill.data.synthetic.head import grid_faces, normals, template
from distill.data.synthetic.look import Look
from distill.data.synthetic.parameters import Identity
from distill.data.synthetic.surface import Surface, make_surface

Array = NDArray[np.float64]

# Sections from the neck down: height, half-width, half-depth, z of the middle.
_TRUNK = np.array(
    [
        [-4.0, 4.0, 3.6, -2.2],
        [-7.0, 4.6, 4.6, -2.3],
        [-9.5, 4.9, 5.1, -2.4],
        [-12.0, 5.1, 5.3, -2.5],
        [-14.2, 6.0, 5.8, -2.7],
        [-15.6, 8.2, 6.4, -3.0],
        [-17.0, 12.6, 7.3, -3.2],
        [-18.8, 17.0, 8.4, -3.4],
        [-21.5, 19.4, 9.6, -3.5],
        [-28.0, 20.4, 10.6, -3.5],
        [-46.0, 20.0, 11.0, -3.0],
    ]
)


def make_trunk(identity: Identity, look: Look) -> Surface:
    """Neck, shoulders and chest; the collar is where `cloth` passes 0."""
    knots = np.arange(len(_TRUNK))
    v = np.linspace(0, len(_TRUNK) - 1, 26)[::-1]
    y, wide, deep, middle = (section[:, None] for section in spline(knots, _TRUNK, v).T)
    angle = np.linspace(-np.pi, np.pi, 33)[:-1][None]
    thin = 1 + (identity.neck_width - 1) * smoothstep(y, -18.0, -13.0)
    sin, cos = np.sin(angle), np.cos(angle)
    x = wide * thin * sin
    # Shoulders slope: their outer parts lie lower than the neck's front.
    slope = 1.6 * smoothstep(np.abs(x), 6.0, 18.0) * smoothstep(y, -24.0, -17.0)
    throat = 0.35 * gauss(x, np.broadcast_to(y, x.shape), 0, -11.6, 0.9, 0.8) * (cos > 0)
    position = np.stack([x, y - slope, middle + deep * thin * cos + throat], -1)
    collar = {"crew": -14.6, "high": -12.6, "deep": -14.6}[look.collar]
    dip = {"crew": 1.2, "high": 0.5, "deep": 6.5}[look.collar] * np.clip(cos, 0, 1) ** 3
    shade = 0.5 + 0.5 * smoothstep(y, -8.5, -15.5)
    ao = 1 - (1 - shade) * smoothstep(cos, -1.3, 0.1)
    return make_surface(
        position,
        normals(position),
        grid_faces(len(v), angle.shape[1], closed=True),
        # Right of the canvas: plain skin; still different around the neck, for the cloth's pattern.
        paint=np.stack([np.broadcast_to(16 + 2.5 * angle, x.shape), position[..., 1]], -1),
        tint=ao,
        cloth=collar - dip - position[..., 1],
        body=np.broadcast_to(smoothstep(y, -8.0, -15.0), x.shape),
    )


def _half_width(head: Array, y: float) -> float:
    """Half the width of a shaped head at the template's height y."""
    return float(np.interp(y, template().position[:, 0, 1], np.abs(head[..., 0]).max(1)))


def make_ears(head: Array, identity: Identity, look: Look) -> list[Surface]:
    """Two ears fixed to the sides of a shaped head (r, c, 3); none where long hair or a scarf lies over them."""
    if look.hair_style in ("long", "long_fringe", "scarf"):
        return []
    ring = np.linspace(0, 1, 7)[:, None]
    angle = np.linspace(0, 2 * np.pi, 15)[:-1][None]
    # Rings run from the rim inwards; an egg that is wider above.
    ones = np.ones_like(angle)
    high = 3.1 * identity.ear_size * (1 - ring) * np.sin(angle)
    wide = 1.65 * identity.ear_size * (1 - ring) * np.cos(angle) * (1 + 0.22 * np.sin(angle))
    depth = spline([0, 0.12, 0.3, 0.55, 1.0], [0.0, 0.45, 0.3, -0.1, -0.35], ring[:, 0])[:, None] * ones
    dark = spline([0, 0.15, 0.35, 0.55, 1.0], [0.9, 1.0, 0.72, 0.85, 0.6], ring[:, 0])[:, None] * ones
    half = _half_width(head, -1.5)
    lean = np.deg2rad(24 * identity.ear_out)
    ears = []
    for side in (-1, 1):
        # Outwards-backwards from the root in front of the ear.
        back = wide + 1.4
        x = half - 0.25 + back * np.sin(lean) + depth * np.cos(lean)
        z = 0.9 - back * np.cos(lean) + depth * np.sin(lean) - 0.12 * high
        position = np.stack([side * x, high - 1.4 + 0 * x, z], -1)
        inward = position if side > 0 else position[:, ::-1]
        normal = normals(inward)
        faces = grid_faces(len(inward), inward.shape[1], closed=True)
        ears.append(make_surface(inward, normal, faces, tint=dark if side > 0 else dark[:, ::-1]))
    return ears
