"""Painting a face's texture: skin, then eyes, brows and mouth on it."""

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np

from distill.data.synthetic.canvas import Canvas, coarse_grid
from distill.data.synthetic.curves import gauss, smoothstep, spline, through
from distill.data.synthetic.features import NOSE_TIP_Y
from distill.data.synthetic.landmarks import Features
from distill.data.synthetic.look import Look
from distill.data.synthetic.noise import Floats, noise, patches
from distill.data.synthetic.paint_eyes import paint_brow, paint_eye
from distill.data.synthetic.paint_mouth import paint_mouth
from distill.data.synthetic.parameters import Expression, Identity

_COARSE = (64, 84)


@lru_cache(maxsize=64)
def _arc_columns(width: int) -> tuple[np.ndarray, int]:
    """For each column of a canvas, how many columns of the head's surface lie left of it, and their number in all."""
    radius = width * 0.465
    arc = radius * np.arcsin(np.clip((np.arange(width) - (width - 1) / 2) / radius, -0.97, 0.97))
    columns = np.round(arc - arc[0]).astype(np.intp)
    return columns, int(columns[-1]) + 1


def _wrapped_noise(rng: np.random.Generator, shape: tuple[int, int], sigma_x: float, sigma_y: float) -> Floats:
    """Noise (h, w) that is even on the head: compressed where the cheeks are foreshortened on the canvas."""
    columns, count = _arc_columns(shape[1])
    return noise(rng, shape[0], count, sigma_x, sigma_y)[:, columns]


def _shades(look: Look, identity: Identity, rng: np.random.Generator) -> Floats:
    """The soft colours of the skin on a coarse grid (3, h, w), as factors."""
    x, y = (c.astype(np.float32) for c in coarse_grid(*_COARSE))
    a = np.abs(x)
    red = 0.55 * gauss(a, y, 3.9, -2.9, 1.3, 1.2) + 0.5 * gauss(x, y, 0, NOSE_TIP_Y - 0.2, 1.1, 0.9)
    red += 0.3 * gauss(x, y, 0, -9.8, 1.3, 0.9) + 0.25 * (patches(rng, *_COARSE[::-1], 9) - 0.5)
    hollow = 0.55 * gauss(a, y, 2.0, 0.5, 0.75, 0.6) + 0.3 * gauss(a, y, identity.eye_x, 0.75, 1.4, 0.45)
    hollow += (0.1 + 0.35 * look.age) * gauss(a, y, identity.eye_x - 0.4, -1.0, 0.95, 0.35)
    hollow += 0.4 * gauss(a, y, 1.75, -4.4, 0.35, 0.7) + 0.35 * gauss(x, y, 0, -5.35, 1.3, 0.3)
    hollow += 0.35 * gauss(x, y, 0, -8.75, 1.2, 0.28) + 0.25 * gauss(a, y, 3.2, -7.3, 0.4, 0.5)
    hollow += 0.5 * smoothstep(y, -10.6, -11.6) + 0.15 * smoothstep(a, 5.5, 7.5)
    light = 0.10 * gauss(x, y, 0, 4.5, 3.0, 1.8) + 0.12 * gauss(x, y, 0, -2.2, 0.5, 2.0)
    mottle = 0.07 * (patches(rng, *_COARSE[::-1], 14) - 0.5)
    blush = np.array([0.02, -0.16, -0.13]) * look.redness
    deep = np.array([0.26, 0.36, 0.38])
    blush = blush[:, None, None]
    deep = deep[:, None, None]
    return ((1 + red * blush + light * 0.6) * (1 - hollow * deep) + mottle).astype(np.float32)


def _beard_mask(look: Look) -> np.ndarray | None:
    """Where a beard grows, on the coarse grid."""
    if look.beard == "none":
        return None
    x, y = coarse_grid(*_COARSE)
    a = np.abs(x)
    cheek = spline([0, 2.4, 3.2, 5.0, 6.6, 8.0], [-5.4, -5.6, -6.2, -5.2, -1.6, -0.5], a[0])
    whole = smoothstep(y, cheek + 0.3, cheek - 0.9)
    moustache = smoothstep(a, 3.1, 2.4) * smoothstep(y, -5.3, -5.75) * smoothstep(y, -7.2, -6.8)
    chin = smoothstep(a, 2.9, 2.2) * smoothstep(y, -8.1, -8.7)
    soul = smoothstep(a, 3.2, 2.6) * smoothstep(a, 2.3, 2.6) * smoothstep(y, -6.0, -6.5)
    bare = gauss(a, y, 1.3, -8.45, 0.7, 0.25)
    full = np.maximum.reduce([whole * smoothstep(a, 1.2, 3.0), moustache, chin, whole * (y < -8)]) * (1 - bare)
    # The canvas's edge is also the skin of the neck and the ears.
    full = full * smoothstep(a, 7.4, 6.8)
    return {
        "stubble": full * 0.42,
        "moustache": moustache,
        "goatee": np.maximum(moustache, np.maximum(chin, soul)),
        "full": full,
    }[look.beard]


def _grow_beard(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    coarse = _beard_mask(look)
    if coarse is None:
        return
    window = canvas.whole()
    height, width = window.shape
    strands = _wrapped_noise(rng, window.shape, 0.7, 2.2)
    mask = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    if look.beard == "stubble":
        mask *= 0.75 + 0.35 * _wrapped_noise(rng, window.shape, 0.8, 0.8)
    else:
        mask = np.clip(mask * 1.6 - 0.25 + 0.22 * strands * (mask > 0.02), 0, 1)
    mask *= 0.55 + 0.45 * look.beard_density
    colour = np.array(look.brow, np.float32)[:, None, None] * (1 + 0.22 * strands)
    window.blend(np.clip(mask, 0, 0.96), colour)


def _creases(features: Features, look: Look, expression: Expression) -> Iterator[tuple[np.ndarray, float, float]]:
    """Curves, widths in cm and strengths: around nose and mouth, beside the eyes, between and above the brows."""
    smile = max(expression.smile, 0.0)
    age = look.age
    corner = abs(features.mouth.outer_top[-1, 0])
    for side in (-1, 1):
        fold = np.array([[1.7, -4.1], [2.5, -5.2], [corner + 0.75, -6.5], [corner + 0.7, -7.6]]) * [side, 1]
        yield through(fold), 0.16, 0.1 + 0.4 * age + 0.35 * smile
        for slope in (-0.4, 0.05, 0.5):
            start = features.eyes[0 if side < 0 else 1].outer + [side * 0.45, slope * 0.3]
            yield np.stack([start, start + [side * 0.9, slope]]), 0.05, 0.55 * max(age - 0.3, 0) + 0.35 * smile * age
        yield np.array([[0.45, 1.2], [0.4, 2.3]]) * [side, 1], 0.1, 0.7 * expression.frown + 0.3 * age
    raised = max(expression.raise_right, expression.raise_left, 0.0)
    across = np.linspace(-3.6, 3.6, 9)
    for height in (3.9, 4.7, 5.5):
        line = np.stack([across, height + 0.25 * np.cos(across * 1.2) - 0.02 * across**2], 1)
        yield line, 0.09, 0.65 * max(age - 0.35, 0) + 0.5 * raised * (0.3 + age)


def _lines(canvas: Canvas, features: Features, look: Look, expression: Expression) -> None:
    window = canvas.window(-6.5, 6.5, -8.5, 6.5)
    mask = np.zeros(window.shape, np.uint8)
    for curve, width, strength in _creases(features, look, expression):
        if strength > 0.06:
            window.draw(mask, curve, width, min(strength, 1.0))
    window.darken(window.soften(mask, 0.1))


def _nostrils(canvas: Canvas, features: Features) -> None:
    window = canvas.window(-2.6, 2.6, -5.8, -3.6)
    for side in (-1, 1):
        width = features.nose_width
        hole = window.disc(np.array([side * 0.62 * width, -4.85]), (0.36 * width, 0.16), 0.05)
        window.darken(hole * 0.9, (0.25, 0.16, 0.14))
        wing = np.array([[1.2, -3.75], [1.55, -4.25], [1.5, -4.7], [1.2, -4.9]]) * [side * width, 1]
        window.darken(window.stroke(through(wing), 0.09, 0.1) * 0.6)


def _freckles(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    window = canvas.window(-6, 6, -6, 3)
    height, width = window.shape
    x, y = window.grid()
    where = np.exp(-0.5 * ((np.abs(x) - 2.6) / 1.9) ** 2) * np.exp(-0.5 * ((y + 2.4) / 1.6) ** 2)
    spots = smoothstep(noise(rng, height, width, 1.3), 0.9, 1.6).astype(np.float32)
    window.darken((spots * where * look.freckles).astype(np.float32), (0.74, 0.6, 0.5))


def paint_skin(
    features: Features, identity: Identity, expression: Expression, look: Look, density: float, rng: np.random.Generator
) -> Canvas:
    """Paint the whole texture of a face."""
    canvas = Canvas.blank(density)
    height, width = canvas.whole().shape
    shade = _shades(look, identity, rng) * np.array(look.skin, np.float32)[:, None, None]
    for plane, coarse in zip(canvas.pixels, shade, strict=True):
        cv2.resize(coarse, (width, height), dst=plane, interpolation=cv2.INTER_LINEAR)
    speckle = 0.014 * _wrapped_noise(rng, (height, width), 0.8, 0.8)
    speckle += 0.012 * _wrapped_noise(rng, (height, width), 2.5, 2.5)
    canvas.pixels *= 1 + speckle
    if look.freckles:
        _freckles(canvas, look, rng)
    _lines(canvas, features, look, expression)
    _nostrils(canvas, features)
    _grow_beard(canvas, look, rng)
    paint_mouth(canvas, features.mouth, look, rng)
    for eye, brow in zip(features.eyes, features.brows, strict=True):
        paint_eye(canvas, eye, identity, look)
        paint_brow(canvas, brow, look, rng)
    return canvas
