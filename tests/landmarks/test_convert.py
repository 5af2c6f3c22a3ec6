"""Maps between schemes: right points, right order, and the same for a mirrored face."""

import json
from pathlib import Path

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.landmarks import convert, is_exact, list_schemes, load_scheme, map_bias
from distill.landmarks.convert import _map, convert_visibility

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
    for source, target in {8: 16, 30: 54, 36: 60, 45: 72, 48: 76, 54: 82, 60: 88, 64: 92}.items():
        np.testing.assert_allclose(ibug[source], face[target], atol=1e-4)


def test_visibility_needs_every_source() -> None:
    visible = np.ones(68, bool)
    visible[37] = False
    assert convert_visibility(visible, "ibug68", "five").tolist() == [False, True, True, True, True]
    assert convert_visibility(visible, "ibug68", "inner51").sum() == 50


def test_no_road_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be made from inner51"):
        convert(np.zeros((51, 2)), "inner51", "ibug68")


@pytest.mark.parametrize("target", list_schemes())
def test_parts_come_from_the_same_parts(target: str) -> None:
    # A mouth made of points of the jaw would pass every other test.
    for source in load_scheme(target).sources:
        parts = {i: part for part, points in load_scheme(source).groups.items() for i in points}
        weights, _ = _map(source, target)
        for part, points in load_scheme(target).groups.items():
            used = {parts[int(i)] for point in points for i in np.flatnonzero(weights[point].any(0))}
            allowed = _SAME.get(part, {part}) if part not in ("jaw", "chin") else {"jaw", "chin", "face"}
            assert used <= allowed, f"{source} -> {target}: {part} from {used}"


_SAME = {"eyes": {"eyes", "pupils"}, "brows": {"brows"}, "pupils": {"pupils", "eyes"}}


def test_106_points_of_jd_and_lapa_are_one_set() -> None:
    face = np.random.default_rng(0).uniform(0, 100, (106, 2)).astype(np.float32)
    np.testing.assert_array_equal(convert(convert(face, "jd106", "lapa106"), "lapa106", "jd106"), face)


def test_approximate_maps_tell_their_bias() -> None:
    bias = map_bias("wflw98", "ibug68")
    assert bias is not None
    assert 0 < bias.mean < bias.max < 0.2
    assert map_bias("ibug68", "inner51") is None, "exact by definition"
    with pytest.raises(ConfigError, match="cannot be made"):
        map_bias("five", "ibug68")


def test_stored_biases_are_the_measured_ones() -> None:
    path = Path(__file__).parents[2] / "results" / "studies" / "scheme_bias.json"
    for row in json.loads(path.read_text())["maps"]:
        assert map_bias(row["source"], row["target"]) == (row["mean"], row["max"], row["faces"])
        assert is_exact(row["source"], row["target"]) == row["exact"]


def test_a_rule_beyond_its_source_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "custom.yaml"
    path.write_text(
        "name: m\ntitle: m\nn_points: 1\nflip: []\ngroups: {a: [0]}\nedges: []\n"
        "from: {five: {exact: true, points: [{mean: 3-5}]}}\n"
    )
    with pytest.raises(ConfigError, match="from: five uses point 5, but it has 5"):
        convert(np.zeros((5, 2)), "five", str(path))
