"""Appearance parameters of a synthetic person: colours, hair, beard, marks, glasses, clothes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from distill.data.synthetic.curves import draw

Colour = tuple[float, float, float]
HairStyle = Literal[
    "bald", "buzz", "short", "quiff", "fringe", "long", "long_fringe", "bun", "afro", "receding", "scarf", "cap"
]
BeardStyle = Literal["none", "stubble", "moustache", "goatee", "full"]

_SKIN = np.array(
    [(250, 219, 200), (240, 200, 174), (226, 180, 148), (204, 152, 115), (168, 116, 82), (124, 81, 57), (86, 56, 42)]
)
_HAIR = ((22, 18, 17), (44, 31, 24), (74, 50, 34), (102, 70, 44), (118, 62, 34), (176, 138, 88), (206, 176, 124))
_GREY = ((140, 138, 136), (205, 203, 200))
_DYED = ((60, 70, 120), (150, 60, 90), (60, 110, 100), (120, 40, 45))
_IRIS = ((58, 36, 22), (44, 28, 20), (84, 56, 30), (112, 92, 52), (96, 116, 84), (98, 132, 164), (120, 136, 146))


@dataclass(frozen=True)
class Look:
    """Appearance; colours are RGB in 0-255."""

    feminine: bool
    skin: Colour
    redness: float
    hair: Colour
    hair_style: HairStyle
    hair_length: float  # of long hair, 0 to the jaw, 1 to the chest
    hair_volume: float
    parting: float  # -1..1, where on the forehead the hair divides
    brow: Colour
    brow_density: float
    iris: Colour
    pupil: float  # radius in cm
    lips: Colour
    lip_gloss: float
    eye_shadow: Colour | None
    lash: float
    beard: BeardStyle
    beard_density: float
    freckles: float
    age: float  # 0 smooth, 1 deeply lined
    teeth: Colour
    glasses: Literal["none", "round", "square", "sun"]
    frame: Colour
    cloth: Colour
    collar: Literal["crew", "deep", "high"]
    pattern: Literal["plain", "stripes", "patches"]
    accent: Colour


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...] | tuple[tuple[int, int, int], ...]) -> Colour:
    red, green, blue = np.asarray(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.88, 1.12)
    return float(red), float(green), float(blue)


def _random_colour(rng: np.random.Generator) -> Colour:
    value = rng.uniform(30, 235)
    tint = rng.uniform(-1, 1, 3) * (8, 60)[int(rng.integers(2))]
    red, green, blue = np.clip(value + tint, 10, 245)
    return float(red), float(green), float(blue)


def _skin(rng: np.random.Generator) -> tuple[float, Colour]:
    tone = float(rng.uniform(0, len(_SKIN) - 1))
    low = min(int(tone), len(_SKIN) - 2)
    colour = _SKIN[low] + (tone - low) * (_SKIN[low + 1] - _SKIN[low])
    red, green, blue = colour * (1 + rng.normal(0, [0.015, 0.015, 0.03]))
    return tone / (len(_SKIN) - 1), (float(red), float(green), float(blue))


def _hair_colour(rng: np.random.Generator, tone: float, age: float) -> Colour:
    if rng.uniform() < 0.55 * age:
        return _pick(rng, _GREY)
    if rng.uniform() < 0.04:
        return _pick(rng, _DYED)
    return _pick(rng, _HAIR[:3] if tone > 0.55 else _HAIR)


def _lips(rng: np.random.Generator, skin: Colour, feminine: bool) -> tuple[Colour, float]:
    made_up = feminine and rng.uniform() < 0.5
    target = np.array(_pick(rng, ((176, 52, 62), (196, 88, 96), (150, 60, 70), (214, 118, 112))))
    natural = np.array(skin) * [0.86, 0.66, 0.66] + [8, 2, 4]
    share = rng.uniform(0.4, 0.85) if made_up else rng.uniform(0.0, 0.25)
    red, green, blue = natural + share * (target - natural)
    return (float(red), float(green), float(blue)), float(rng.uniform(0.1, 0.9 if made_up else 0.4))


def draw_look(rng: np.random.Generator) -> Look:
    """Draw an appearance."""
    feminine = bool(rng.integers(2))
    age = float(rng.beta(1.2, 2.2))
    tone, skin = _skin(rng)
    hair = _hair_colour(rng, tone, age)
    styles: tuple[HairStyle, ...]
    odds: tuple[int, ...]
    if feminine:
        styles = ("long", "long_fringe", "bun", "short", "fringe", "afro", "scarf")
        odds = (35, 14, 18, 8, 8, 8, 9)
    else:
        styles = ("short", "quiff", "buzz", "receding", "bald", "fringe", "afro", "cap", "long")
        odds = (28, 18, 14, 9, 8, 8, 4, 6, 5)
    style = styles[draw(rng, odds)]
    beards: tuple[BeardStyle, ...] = ("none", "stubble", "moustache", "goatee", "full")
    beard = "none" if feminine else beards[draw(rng, (0.42, 0.24, 0.08, 0.1, 0.16))]
    lips, gloss = _lips(rng, skin, feminine)
    darker = np.array(hair) * 0.75 + np.array([4, 2, 1])
    return Look(
        feminine=feminine,
        skin=skin,
        redness=float(rng.uniform(0.2, 1.0)),
        hair=hair,
        hair_style=style,
        hair_length=float(rng.uniform()),
        hair_volume=float(rng.uniform(0.7, 1.4)),
        parting=float(rng.uniform(-0.7, 0.7)),
        brow=(float(darker[0]), float(darker[1]), float(darker[2])),
        brow_density=float(rng.uniform(0.55, 0.95)),
        iris=_pick(rng, _IRIS[:3] if tone > 0.6 else _IRIS),
        pupil=float(rng.uniform(0.17, 0.3)),
        lips=lips,
        lip_gloss=gloss,
        eye_shadow=_random_colour(rng) if feminine and rng.uniform() < 0.3 else None,
        lash=float(rng.uniform(0.6, 1.0) if feminine else rng.uniform(0.3, 0.6)),
        beard=beard,
        beard_density=float(rng.uniform(0.5, 1.0)),
        freckles=float(rng.uniform(0.4, 1)) if tone < 0.4 and rng.uniform() < 0.2 else 0.0,
        age=age,
        teeth=_pick(rng, ((232, 226, 212), (222, 212, 190), (238, 234, 226))),
        glasses=("none", "round", "square", "sun")[draw(rng, (0.76, 0.09, 0.1, 0.05))],
        frame=_pick(rng, ((20, 18, 18), (60, 40, 26), (150, 130, 90), (120, 122, 126), (90, 30, 30))),
        cloth=_random_colour(rng),
        collar=("crew", "deep", "high")[draw(rng, (0.5, 0.3, 0.2))],
        pattern=("plain", "stripes", "patches")[draw(rng, (0.6, 0.2, 0.2))],
        accent=_random_colour(rng),
    )
