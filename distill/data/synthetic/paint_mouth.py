"""Painting lips, teeth, tongue and the dark behind them."""

import numpy as np

from distill.data.synthetic.canvas import Canvas, Window
from distill.data.synthetic.curves import through
from distill.data.synthetic.features import Mouth
from distill.data.synthetic.look import Look
from distill.data.synthetic.noise import noise


def _cavity(window: Window, mouth: Mouth, look: Look) -> None:
    top, bottom = through(mouth.inner_top), through(mouth.inner_bottom)
    gap = float(mouth.inner_top[2, 1] - mouth.inner_bottom[2, 1])
    inside = window.fill(np.concatenate([top, bottom[::-1]]))
    picture = window.empty((52, 20, 20))
    if gap > 0.25:
        tongue = np.array([mouth.inner_bottom[2, 0], mouth.inner_bottom[2, 1] - 0.1])
        picture.blend(picture.disc(tongue, (mouth.half_width * 0.55, gap * 0.55), 0.15), (150, 72, 72))
        height = min(0.62, 0.25 + 0.55 * gap)
        # The biting edge is nearly straight, however the lip above it bends.
        bend = 0.35 * height * ((top[:, 0] - mouth.inner_top[2, 0]) / mouth.half_width) ** 2
        edge = np.stack([top[:, 0], mouth.inner_top[2, 1] - 0.08 - height + bend], 1)
        teeth = picture.fill(np.concatenate([edge + [0, 2.0], edge[::-1]]), blur=0.03)
        x, _ = picture.grid()
        # The arch of teeth recedes towards the corners and has gaps of 0.8 cm.
        off = x - float(mouth.inner_top[2, 0])
        fade = np.clip(1.1 - (off / (mouth.half_width * 0.95)) ** 2, 0.15, 1)
        gaps = 1 - 0.22 * np.exp(-((((np.abs(off) + 0.4) % 0.8 - 0.4) / 0.05) ** 2))
        picture.blend(teeth, np.array(look.teeth, np.float32)[:, None, None] * (0.94 * fade * gaps))
        lip_shadow = picture.stroke(top, 0.16, 0.1)
        picture.darken(lip_shadow, (0.5, 0.4, 0.4))
    window.blend(inside, picture.pixels)


def paint_mouth(canvas: Canvas, mouth: Mouth, look: Look, rng: np.random.Generator) -> None:
    """Paint the mouth onto the face's texture."""
    low = mouth.outer_bottom.min(0) - 0.6
    high = mouth.outer_top.max(0) + 0.6
    window = canvas.window(low[0], high[0], low[1], high[1])
    height, width = window.shape
    top, bottom = through(mouth.outer_top), through(mouth.outer_bottom)
    inner_top = through(mouth.inner_top)
    inner_bottom = through(mouth.inner_bottom)
    upper = window.fill(np.concatenate([top, inner_top[::-1]]), blur=0.03)
    lower = window.fill(np.concatenate([inner_bottom, bottom[::-1]]), blur=0.03)
    colour = np.array(look.lips, np.float32)[:, None, None]
    wrinkle = 1 + 0.05 * noise(rng, height, width, 0.8, 3.0)
    window.blend(upper * 0.92, colour * 0.84 * wrinkle)
    window.blend(lower * 0.92, colour * wrinkle)
    x, y = window.grid()
    crest = (mouth.inner_bottom[2] + mouth.outer_bottom[3]) / 2
    gloss = np.exp(-0.5 * (((x - crest[0]) / (mouth.half_width * 0.4)) ** 2 + ((y - crest[1] - 0.05) / 0.14) ** 2))
    window.blend((gloss * lower * 0.45 * look.lip_gloss).astype(np.float32), (255, 236, 230))
    window.darken(window.stroke(bottom - [0, 0.14], 0.16, 0.12) * 0.3)
    _cavity(window, mouth, look)
    window.darken(window.stroke(inner_top, 0.08, 0.04) * 0.75, (0.4, 0.24, 0.22))
    window.darken(window.stroke(inner_bottom, 0.06, 0.04) * 0.35, (0.5, 0.3, 0.28))
    for corner in (mouth.outer_top[0], mouth.outer_top[-1]):
        window.darken(window.disc(corner, (0.16, 0.12), 0.08) * 0.55)
