"""Distributions of identity, expression and pose."""

from dataclasses import dataclass

import numpy as np

from distill.data.synthetic.curves import draw


@dataclass(frozen=True)
class Identity:
    """Proportions; 1 is average unless noted otherwise, lengths in cm of the template."""

    face_width: float = 1.0
    jaw_width: float = 1.0
    chin_width: float = 1.0
    forehead_width: float = 1.0
    lower_length: float = 1.0
    middle_length: float = 1.0
    cranium: float = 1.0
    cheekbones: float = 1.0
    fullness: float = 0.4  # 0 hollow cheeks, 1 round ones
    chin: float = 1.0
    brow_ridge: float = 1.0
    nose_width: float = 1.0
    nose_length: float = 1.0  # how far it stands out
    nose_bridge: float = 1.0
    nose_hump: float = 0.0  # -1 scooped, 1 hooked
    nose_ball: float = 1.0
    eye_x: float = 3.2
    eye_width: float = 1.0
    eye_height: float = 1.0
    eye_tilt: float = 0.15  # how much higher the outer corner is, cm
    lid_fold: float = 0.32  # distance of the crease from the upper lid, cm; 0 for none
    brow_height: float = 0.0
    brow_arch: float = 0.35
    brow_thickness: float = 1.0
    brow_slant: float = 0.0
    lip_upper: float = 1.0
    lip_lower: float = 1.0
    mouth_width: float = 1.0
    mouth_height: float = 0.0
    cupid: float = 1.0
    ear_size: float = 1.0
    ear_out: float = 1.0
    neck_width: float = 1.0


@dataclass(frozen=True)
class Expression:
    """Muscles; 0 is rest and 1 a full movement unless noted otherwise."""

    jaw_degrees: float = 0.0  # 0 closed, 18 wide open
    part: float = 0.0  # lips apart, cm
    smile: float = 0.0  # -1 corners down
    pucker: float = 0.0
    puff: float = 0.0
    skew: float = 0.0  # the mouth to one side, cm
    close_right: float = 0.0  # subject's right eye: -0.3 wide open, 1 shut
    close_left: float = 0.0
    raise_right: float = 0.0
    raise_left: float = 0.0
    frown: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)  # -1..1, to the viewer's right and up


def _around(rng: np.random.Generator, middle: float, spread: float) -> float:
    """A normal draw cut at two deviations."""
    return float(middle + spread * np.clip(rng.normal(), -2, 2))


def draw_identity(rng: np.random.Generator, feminine: bool) -> Identity:
    """Draw the proportions of a person; women's and men's overlap."""
    f = float(feminine)

    def near(spread: float, middle: float = 1.0) -> float:
        return _around(rng, middle, spread)

    return Identity(
        face_width=near(0.035),
        jaw_width=near(0.04, 1.01 - 0.04 * f),
        chin_width=near(0.07, 1.03 - 0.08 * f),
        forehead_width=near(0.03),
        lower_length=near(0.045, 1.01 - 0.03 * f),
        middle_length=near(0.03),
        cranium=near(0.03),
        cheekbones=near(0.35),
        fullness=float(rng.uniform(0.1 + 0.2 * f, 1)),
        chin=near(0.35, 1.1 - 0.3 * f),
        brow_ridge=near(0.4, 1.3 - 0.8 * f),
        nose_width=near(0.11, 1.02 - 0.07 * f),
        nose_length=near(0.09, 1.02 - 0.08 * f),
        nose_bridge=near(0.5),
        nose_hump=near(0.4, 0.1 - 0.3 * f),
        nose_ball=near(0.5),
        eye_x=near(0.12, 3.2),
        eye_width=near(0.06),
        eye_height=near(0.12, 0.98 + 0.12 * f),
        eye_tilt=near(0.1, 0.15),
        lid_fold=float(rng.uniform(0.2, 0.45) * (rng.uniform() < 0.8)),
        brow_height=near(0.17, 0.0),
        brow_arch=near(0.14, 0.35),
        brow_thickness=near(0.18, 1.12 - 0.32 * f),
        brow_slant=near(0.12, 0.0),
        lip_upper=near(0.18, 0.92 + 0.2 * f),
        lip_lower=near(0.17, 0.94 + 0.16 * f),
        mouth_width=near(0.07),
        mouth_height=near(0.12, 0.0),
        cupid=near(0.4),
        ear_size=near(0.07),
        ear_out=near(0.3),
        neck_width=near(0.06, 1.0 - 0.12 * f),
    )


def draw_expression(rng: np.random.Generator) -> Expression:
    """Draw a momentary expression: neutral, speaking, laughing, astonished, kissing, grim or a mixture."""
    index = draw(rng, (0.3, 0.22, 0.2, 0.08, 0.07, 0.13))
    u = rng.uniform(0, 1, 12)
    jaw, part, smile, pucker, raised, frown = (
        (0.0, 0.0, 0.3 * u[1] - 0.15, 0.0, 0.2 * u[0] - 0.1, 0.1 * u[2]),
        (7 * u[0], 0.1 + 0.5 * u[1], 0.5 * u[2] - 0.15, 0.5 * u[3] * (u[4] > 0.6), 0.5 * u[5] - 0.2, 0.3 * u[6]),
        (7 * u[0] * (u[3] > 0.4), 0.55 * u[1] * (u[3] > 0.25), 0.4 + 0.6 * u[2], 0.0, 0.4 * u[5] - 0.1, 0.0),
        (7 + 11 * u[0], 0.6 + 0.6 * u[1], 0.2 * u[2] - 0.1, 0.4 * u[3], 0.4 + 0.6 * u[5], 0.2 * u[6]),
        (0.0, 0.2 * u[1], 0.0, 0.5 + 0.5 * u[3], 0.4 * u[5] - 0.1, 0.2 * u[6]),
        (3 * u[0], 0.2 * u[1], -0.3 - 0.7 * u[2], 0.2 * u[3], -0.3 * u[5], 0.4 + 0.6 * u[6]),
    )[index]
    shut = 1.0 if rng.uniform() < 0.06 else float(np.clip(rng.normal(0.08, 0.16), -0.3, 0.8)) + 0.25 * max(smile, 0)
    wink = float(rng.uniform() < 0.04)
    side = int(rng.integers(2))
    tilt = float(rng.normal(0, 0.12))
    gaze = tuple(float(g) for g in np.clip(rng.normal(0, (0.45, 0.25)), -1, 1))
    return Expression(
        jaw_degrees=float(jaw),
        part=float(part),
        smile=float(smile),
        pucker=float(pucker),
        puff=float(rng.uniform() < 0.04) * float(u[7]),
        skew=float(np.clip(rng.normal(0, 0.12), -0.35, 0.35)),
        close_right=max(shut, wink * (side == 0)),
        close_left=max(shut, wink * (side == 1)),
        raise_right=float(raised) + tilt,
        raise_left=float(raised) - tilt,
        frown=float(frown),
        gaze=(gaze[0], gaze[1]),
    )


def draw_pose(rng: np.random.Generator, difficulty: float) -> tuple[float, float, float]:
    """Draw yaw within 70, pitch within 25 and roll within 20 degrees, mostly half-frontal; difficulty 0 is frontal."""
    wide = rng.uniform() < 0.25
    yaw = rng.uniform(-70, 70) if wide else np.clip(rng.normal(0, 22), -70, 70)
    pitch = np.clip(rng.normal(0, 10), -25, 25)
    roll = np.clip(rng.normal(0, 8), -20, 20)
    reach = min(difficulty, 1.0)
    return float(yaw * reach), float(pitch * reach), float(roll * reach)
