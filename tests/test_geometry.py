"""The pixel convention, in numbers one can check by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.geometry import (
    Affine,
    Box,
    CropSpec,
    apply_affine,
    box_of_points,
    crop_affine,
    denormalise,
    invert_affine,
    normalise,
    similarity,
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
