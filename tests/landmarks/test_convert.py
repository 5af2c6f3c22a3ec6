"""Maps between schemes: right points, right order, and the same for a mirrored face."""

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.landmarks import convert, is_exact, list_schemes, load_scheme
from distill.landmarks.convert import convert_visibility

_MAPS = [(source, target) for target in list_schemes() for source in load_scheme(target).sources]


@pytest.fixture
def points() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(("source", "target"), _MAPS)
def test_mirroring_and_converting_commute(source: str, target: str, points: np.random.Generator) -> None:
    # Catches a wrong index on one side of the face, in a map or in a flip table.
    first, second = load_scheme(source), load_scheme(target)
    face = points.uniform(0, 100, (first.n_points, 2))
    mirrored = (face * [-1, 1])[list(first.flip)]
    expected = (convert(face, source, target) * [-1, 1])[list(second.flip)]
    np.testing.assert_allclose(convert(mirrored, source, target), expected, atol=1e-4)


@pytest.mark.parametrize(("source", "target"), _MAPS)
def test_maps_move_with_the_face(source: str, target: str, points: np.random.Generator) -> None:
    # Weights that do not sum to one would shrink or shift the face.
    face = points.uniform(0, 100, (3, load_scheme(source).n_points, 2))
    moved = convert(face * 2 + [5, -7], source, target)
    assert moved.shape == (3, load_scheme(target).n_points, 2)
    np.testing.assert_allclose(moved, convert(face, source, target) * 2 + [5, -7], atol=1e-3)


def test_51_are_the_last_51_of_68(points: np.random.Generator) -> None:
    face = points.uniform(0, 100, (68, 2)).astype(np.float32)
    assert (convert(face, "ibug68", "inner51") == face[17:]).all()
    assert is_exact("ibug68", "inner51")
    assert is_exact("ibug68", "ibug68")
    assert not is_exact("wflw98", "ibug68")
    assert not is_exact("wflw98", "inner51"), "a map through an approximate one is approximate"


def test_five_points_are_the_same_by_every_exact_road(points: np.random.Generator) -> None:
    face = points.uniform(0, 100, (68, 2))
    through = convert(convert(face, "ibug68", "inner51"), "inner51", "five")
    np.testing.assert_allclose(convert(face, "ibug68", "five"), through, atol=1e-4)


def test_landmarks_of_98_are_found_in_68(points: np.random.Generator) -> None:
    face = points.uniform(0, 100, (98, 2)).astype(np.float32)
    ibug = convert(face, "wflw98", "ibug68")
    # Chin, nose tip, outer eye corners, mouth corners.
    for ours, theirs in {8: 16, 30: 54, 36: 60, 45: 72, 48: 76, 54: 82, 60: 88, 64: 92}.items():
        np.testing.assert_allclose(ibug[ours], face[theirs], atol=1e-4)


def test_visibility_needs_every_source() -> None:
    visible = np.ones(68, bool)
    visible[37] = False
    assert convert_visibility(visible, "ibug68", "five").tolist() == [False, True, True, True, True]
    assert convert_visibility(visible, "ibug68", "inner51").sum() == 50


def test_no_road_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be made from inner51"):
        convert(np.zeros((51, 2)), "inner51", "ibug68")
