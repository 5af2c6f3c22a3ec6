"""A generated face that turns, speaks and blinks: the frames of a video that repeats without a jump."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from distill.data.synthetic.camera import Camera
from distill.data.synthetic.light import draw_light
from distill.data.synthetic.look import draw_look
from distill.data.synthetic.parameters import Expression, draw_identity
from distill.data.synthetic.render import Person, aim, paint
from distill.geometry import Points
from distill.images import Photo

_CALM = 0.2  # difficulty of the light: even
_TURN = (24.0, 6.0, 5.0)  # largest yaw, pitch and roll in degrees
_BLINK = 40  # power of the cosine: a blink takes about an eighth of the clip


def render_clip(seed: int, index: int, count: int, size: int = 256) -> Iterator[tuple[Photo, Points]]:
    """Yield `count` frames (size, size, 3) uint8 RGB with their 68 points (68, 2) in pixels.

    Args:
        seed: of the series of faces.
        index: of the face in the series.
        count: frames of one period.
        size: side of the frames in pixels.
    """
    for frame in range(count):
        yield _render(seed, index, 2 * np.pi * frame / count, size)


def _render(seed: int, index: int, phase: float, size: int) -> tuple[Photo, Points]:
    """Render the frame at a phase in [0, 2 pi): everything but pose and expression is drawn from the seed alone."""
    rngs = [np.random.default_rng(part) for part in np.random.SeedSequence([seed, index]).spawn(6)]
    look = draw_look(rngs[2])
    identity = draw_identity(rngs[0], look.feminine)
    still: Camera = aim(rngs[1], Person.build(identity, Expression()), (0.0, 0.0, 0.0), size)
    light = draw_light(rngs[1], _CALM)
    person = Person.build(identity, _expression(phase))
    camera = replace(still, pose=_pose(phase))
    picture, _ = paint(person, look, camera, light, size, rngs[2:], 0)
    return np.clip(picture.pixels, 0, 255).astype(np.uint8), person.landmarks(camera)["ibug68"][0].astype(np.float32)


def _pose(phase: float) -> tuple[float, float, float]:
    yaw, pitch, roll = _TURN
    return float(yaw * np.sin(phase)), float(pitch * np.sin(2 * phase)), float(roll * np.sin(phase + 1))


def _expression(phase: float) -> Expression:
    speech, smile = (1 - np.cos(3 * phase)) / 2, (1 - np.cos(phase)) / 2
    shut = float(np.cos(phase - 1) ** _BLINK)
    return Expression(
        jaw_degrees=float(9 * speech), part=float(0.4 * speech), smile=float(0.6 * smile), close_right=shut,
        close_left=shut,
    )  # fmt: skip
