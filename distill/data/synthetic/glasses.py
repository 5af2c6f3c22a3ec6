"""Glasses: rims, bridge and temples as curves in front of a shaped head."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.head import locate
from distill.data.synthetic.look import Look
from distill.data.synthetic.parameters import Identity

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Glasses:
    """Curves (n, 3) in head space: closed rims, and open bridge and temples; `width` of the frame in cm."""

    rims: tuple[Array, Array]
    bars: tuple[Array, ...]
    width: float
    lens: float  # darkness, 0 clear


def make_glasses(look: Look, identity: Identity, head: Array) -> Glasses | None:
    """Place glasses on the bridge of the nose of a shaped head (r, c, 3), with temples that reach the ears."""
    if look.glasses == "none":
        return None
    corners, weights = locate(np.array([[0.0, 0.9]]))
    nasion = weights[0] @ head.reshape(-1, 3)[corners[0]]
    ears = float(np.abs(head[corners[0, 0] // head.shape[1], :, 0]).max())
    angle = np.linspace(0, 2 * np.pi, 41)
    power = 1.0 if look.glasses == "round" else 0.62
    across = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    up = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    half, high = (2.3, 2.1) if look.glasses == "round" else (2.65, 1.75)
    if look.glasses == "sun":
        half = 2.8
        high = 2.2
    eye_x = identity.eye_x * identity.face_width + 0.05
    y = float(nasion[1]) - 0.75 - 0.25 * (look.glasses == "sun")
    front = float(nasion[2]) + 0.75

    def curve(x: Array) -> Array:
        return front - 0.035 * x**2

    rims = []
    for side in (-1, 1):
        x = side * eye_x + half * across
        rims.append(np.stack([x, y + high * up, curve(x)], 1))
    inner = eye_x - half
    bridge_x = np.linspace(-inner, inner, 7)
    bridge = np.stack([bridge_x, y + 0.45 + 0.3 * np.cos(bridge_x / inner * 1.5), curve(bridge_x)], 1)
    bars = [bridge]
    for side in (-1, 1):
        hinge = np.array([side * (eye_x + half), y + 0.5, curve(np.array(eye_x + half))])
        ear = np.array([side * (ears + 0.35), y + 0.6, 0.2])
        bars.append(hinge + np.linspace(0, 1, 16)[:, None] * (ear - hinge))
    width = 0.2 if look.glasses == "round" else 0.34
    return Glasses((rims[0], rims[1]), tuple(bars), width, 0.9 if look.glasses == "sun" else 0.06)
