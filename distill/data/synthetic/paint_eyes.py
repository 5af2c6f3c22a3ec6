"""Painting eyes and brows."""

import numpy as np

from distill.data.synthetic.canvas import Canvas, Window
from distill.data.synthetic.features import Brow, Eye
from distill.data.synthetic.look import Look
from distill.data.synthetic.noise import Floats, noise
from distill.data.synthetic.parameters import Identity

IRIS_RADIUS = 0.62
_U = np.linspace(0, 1, 21)


def _eyeball(window: Window, eye: Eye, look: Look) -> Floats:
    """The picture behind the lids."""
    ball = window.empty((226, 218, 212))
    x, y = ball.grid()
    half = abs(eye.outer[0] - eye.inner[0]) / 2
    middle = (eye.outer[0] + eye.inner[0]) / 2
    edge = np.clip(np.abs(x - middle) / half, 0, 1) ** 2.5
    ball.pixels *= 1 - 0.28 * edge
    ball.blend(ball.disc(eye.inner + [eye.side * 0.12, 0.0], (0.2, 0.22), 0.04), (196, 132, 124))
    distance = np.sqrt((x - eye.iris[0]) ** 2 + (y - eye.iris[1]) ** 2).astype(np.float32)
    soft = 1.2 / ball.density
    colour = np.array(look.iris, np.float32)
    ball.blend(np.clip((IRIS_RADIUS - distance) / soft + 0.5, 0, 1), colour * 0.5)
    glow = np.clip(1.35 - 0.9 * (y - eye.iris[1]) / IRIS_RADIUS, 0.75, 1.9)
    inner = np.clip((0.86 * IRIS_RADIUS - distance) / (2.5 * soft) + 0.5, 0, 1)
    ball.blend(inner, colour[:, None, None] * glow)
    ball.blend(np.clip((look.pupil - distance) / soft + 0.5, 0, 1), (8, 6, 6))
    # The upper lid throws its shadow on the ball.
    span = (x - eye.outer[0]) / (eye.inner[0] - eye.outer[0])
    lid = eye.lid(_U, True)
    order = np.argsort(lid[:, 0])
    below = np.interp(x[0], lid[order, 0], lid[order, 1])[None] - y
    ball.pixels *= (1 - 0.5 * np.exp(-np.maximum(below, 0) / 0.16) * (np.abs(span - 0.5) < 0.6)).astype(np.float32)
    return ball.pixels


def paint_eye(canvas: Canvas, eye: Eye, identity: Identity, look: Look) -> None:
    """Paint lids, crease, eyeball and lashes."""
    left, right = sorted((eye.outer[0] + eye.side * 0.9, eye.inner[0] - eye.side * 0.7))
    window = canvas.window(left, right, -1.7, 2.0)
    upper = eye.lid(_U, True)
    lower = eye.lid(_U, False)
    fold = upper + [0, max(0.12, identity.lid_fold)]
    fold[:, 1] += 0.16 * np.sin(np.pi * _U)
    if look.eye_shadow is not None:
        window.blend(window.fill(np.concatenate([upper, fold[::-1] + [0, 0.25]]), blur=0.15) * 0.45, look.eye_shadow)
    if identity.lid_fold:
        window.darken(window.stroke(fold, 0.09, 0.05) * 0.75)
    window.darken(window.stroke(lower - [0, 0.28], 0.1, 0.12) * (0.2 + 0.4 * look.age))
    opening = window.fill(np.concatenate([upper, lower[::-1]]))
    ball = _eyeball(window, eye, look)
    window.blend(opening, ball)
    window.darken(window.stroke(lower, 0.07, 0.02) * 0.55, (0.62, 0.42, 0.4))
    lash = np.array(look.brow, np.float32) * 0.35
    window.blend(window.stroke(upper, 0.07 + 0.07 * look.lash, 0.02) * (0.6 + 0.35 * look.lash), lash)
    if look.lash > 0.65:
        flick = np.stack([eye.outer, eye.outer + [eye.side * 0.28, 0.12]])
        window.blend(window.stroke(flick, 0.08, 0.03) * look.lash, lash)
    if eye.upper_height - eye.lower_height > 0.25:
        # The light's reflection sits on the iris's upper half.
        spot = eye.iris + [0.18, 0.2]
        window.blend(window.disc(spot, 0.11, 0.02) * opening * 0.9, (255, 255, 255))


def paint_brow(canvas: Canvas, brow: Brow, look: Look, rng: np.random.Generator) -> None:
    """Paint a brow as a soft band of short strands."""
    top, bottom = brow.at(_U)
    band = np.concatenate([top, bottom[::-1]])
    low, high = band.min(0) - 0.4, band.max(0) + 0.4
    window = canvas.window(low[0], high[0], low[1], high[1])
    height, width = window.shape
    strands = noise(rng, height, width, 2.0, 0.7)
    mask = window.fill(band, blur=0.07) * np.clip(0.85 + 0.3 * strands, 0, 1) * look.brow_density
    window.blend(mask, look.brow)
