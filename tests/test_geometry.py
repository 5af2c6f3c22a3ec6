"""The pixel convention, in numbers one can check by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from distill.geometry import (
    Affine,
    Box,
    CropSpec,
    angle_between,
    apply_affine,
    box_of_points,
    crop_affine,
    denormalise,
    invert_affine,
    normalise,
    roll_of_points,
    similarity,
    turned_box_of_points,
)

_affines = st.builds(
    similarity,
    side=st.floats(4, 4000),
    x=st.floats(-100, 4000),
    y=st.floats(-100, 4000),
    size=st.sampled_from([64, 128, 256]),
    degrees=st.floats(-180, 180),
    flip=st.booleans(),
)


def test_normalised_coordinates_end_at_pixel_edges() -> None:
    # Catches the other convention, x / (w - 1), which shifts every heatmap by up to half a cell.
    points = np.array([[-0.5, -0.5], [0, 0], [63.5, 31.5]])
    np.testing.assert_allclose(normalise(points, 64, 32), [[0, 0], [0.5 / 64, 0.5 / 32], [1, 1]])


@pytest.mark.parametrize("size", [8, 128, 256])
def test_heatmap_cells_lie_where_the_plan_says(size: int) -> None:
    stride = 4
    cells = np.arange(size // stride)
    along = np.stack([cells, cells], axis=1)
    pixels = denormalise(normalise(along, size // stride, size // stride), size, size)
    np.testing.assert_allclose(pixels, (along + 0.5) * stride - 0.5, atol=1e-4)


@given(st.floats(-50, 500), st.floats(-50, 500))
def test_normalise_and_back(x: float, y: float) -> None:
    points = np.array([[x, y]])
    np.testing.assert_allclose(denormalise(normalise(points, 256, 100), 256, 100), points, atol=1e-3)


def test_a_crop_covers_the_square_from_edge_to_edge() -> None:
    affine = crop_affine(Box(10, 20, 50, 40), CropSpec(size=80, scale=1.5, shift_y=0.1))
    # Side 40 * 1.5 = 60, centre (30, 30 + 4); its corners are the outer edges of the crop's corner pixels.
    corners = np.array([[0.0, 4.0], [60.0, 64.0]])
    np.testing.assert_allclose(apply_affine(affine, corners), [[-0.5, -0.5], [79.5, 79.5]], atol=1e-5)


def test_rotation_turns_counter_clockwise_on_the_screen() -> None:
    # The square turns counter-clockwise, so what is right of its centre (x + 10) is seen turned clockwise: below.
    affine = similarity(100, 50, 50, 100, degrees=90)
    np.testing.assert_allclose(apply_affine(affine, np.array([[60.0, 50.0]])), [[49.5, 59.5]], atol=1e-4)


def test_flip_mirrors_the_crop_exactly() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (20, 2))
    plain, mirrored = (similarity(90, 40, 60, 128, 25, flip) for flip in (False, True))
    expected = apply_affine(plain, points) * [-1, 1] + [127, 0]
    np.testing.assert_allclose(apply_affine(mirrored, points), expected, atol=1e-4)


@given(_affines)
def test_inverse_returns_to_the_photo(affine: Affine) -> None:
    crop = np.array([[-0.5, -0.5], [31.0, 7.25], [63.5, 63.5]])
    there = crop @ invert_affine(affine)[:, :2].T + invert_affine(affine)[:, 2]
    np.testing.assert_allclose(apply_affine(affine, there), crop, atol=1e-4)


@given(_affines)
def test_a_similarity_scales_both_axes_alike(affine: Affine) -> None:
    linear = affine[:, :2]
    np.testing.assert_allclose(linear @ linear.T, np.eye(2) * abs(np.linalg.det(linear)), rtol=1e-9, atol=1e-9)


def test_boxes() -> None:
    box = box_of_points(np.array([[3.0, 9.0], [1.0, 4.0], [2.0, 12.0]]))
    assert box == Box(1, 4, 3, 12)
    assert (box.width, box.height, box.centre) == (2, 8, (2, 8))


def tilted(points: NDArray[np.floating], centre: tuple[float, float], roll: float) -> NDArray[np.float64]:
    """Turn points clockwise on the screen, where y runs down."""
    x, y = (points - centre).T
    cos, sin = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    return np.stack([cos * x - sin * y, sin * x + cos * y], -1) + centre


@pytest.mark.parametrize("roll", [30, -100, 180])
def test_a_turned_crop_shows_a_tilted_face_as_an_upright_one(roll: float) -> None:
    """The shift of the crop's centre turns with the face."""
    box, spec = Box(10, 20, 50, 80), CropSpec(size=80, scale=1.5, shift_y=0.2)
    points = np.random.default_rng(0).uniform(0, 90, (20, 2))
    found = apply_affine(crop_affine(box, spec, roll), tilted(points, box.centre, roll))
    np.testing.assert_allclose(found, apply_affine(crop_affine(box, spec), points), atol=1e-4)


def test_the_tight_box_of_a_tilted_face_is_that_of_the_upright_one() -> None:
    points = np.random.default_rng(0).uniform(0, 90, (20, 2))
    upright, centre = box_of_points(points), (300.0, 10.0)
    found = turned_box_of_points(tilted(points, centre, 70), 70)
    assert (found.width, found.height) == pytest.approx((upright.width, upright.height), abs=1e-3)
    assert found.centre == pytest.approx(tilted(np.array([upright.centre]), centre, 70)[0], abs=1e-3)
    assert turned_box_of_points(points, 0) == pytest.approx(upright, abs=1e-4)


@pytest.mark.parametrize("roll", [0, 20, -20, 130, -179])
def test_the_roll_of_a_face_is_that_of_the_line_between_its_eyes(roll: float) -> None:
    """The subject's right eye is on the left of the screen; an eye of several points is their mean."""
    points = np.array([[10.0, 20.0], [30.0, 16.0], [30.0, 24.0], [0.0, 0.0]])
    assert roll_of_points(tilted(points, (7, 7), roll), ((0,), (1, 2))) == pytest.approx(roll, abs=1e-4)


def test_an_angle_between_two_rolls_is_the_shorter_way() -> None:
    assert [angle_between(*pair) for pair in ((170, -170), (10, -20), (-180, 180), (0, 180))] == [20, 30, 0, 180]
