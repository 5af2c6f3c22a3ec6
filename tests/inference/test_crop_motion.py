"""The crop moves with the landmarks, keeps still in their jitter and does not lose a fast face."""

import numpy as np
import pytest

from distill.geometry import Box
from distill.inference.crop_motion import is_plausible, moved_box, steadied

BOX = Box(10.0, 20.0, 30.0, 60.0)
POINTS = np.random.default_rng(0).uniform(10, 30, (68, 2))


def test_translation_and_scale_are_exact() -> None:
    moved = moved_box(BOX, POINTS, 1.5 * POINTS + np.array([7, -3]))
    assert moved == pytest.approx((1.5 * 10 + 7, 1.5 * 20 - 3, 1.5 * 30 + 7, 1.5 * 60 - 3))


def test_noise_of_the_points_averages_out() -> None:
    """The tight box of the points hangs on four of them and jitters as they do."""
    rng = np.random.default_rng(1)
    corners, tight = [], []
    for _ in range(300):
        noisy = POINTS + rng.normal(0, 0.5, POINTS.shape)
        corners.append(moved_box(BOX, POINTS, noisy))
        tight.append((*noisy.min(0), *noisy.max(0)))
    assert np.std(corners, 0).mean() < 0.4 * np.std(tight, 0).mean()


def test_small_steps_are_taken_slowly_and_large_ones_at_once() -> None:
    side = 40.0
    near, far = (Box(*(np.array(BOX) + [step, 0, step, 0])) for step in (0.02 * side, 0.5 * side))
    assert steadied(BOX, near).x0 == pytest.approx(BOX.x0 + 0.25 * 0.02 * side)
    assert steadied(BOX, far) == pytest.approx(far)


def test_a_face_neither_leaves_the_photo_nor_doubles() -> None:
    assert is_plausible(BOX, Box(12, 22, 32, 62), 100, 100)
    assert not is_plausible(BOX, Box(90, 20, 130, 60), 100, 100)
    assert not is_plausible(BOX, Box(0, 0, 60, 100), 100, 100)
    assert not is_plausible(BOX, Box(np.nan, 0, 60, 100), 100, 100)
