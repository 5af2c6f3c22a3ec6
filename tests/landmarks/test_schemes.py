"""Every scheme's data hangs together, and its mirror partners are mirror partners on real faces."""

import os
from pathlib import Path

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.landmarks import Scheme, list_schemes, load_scheme

_DATA = Path(os.environ.get("DISTILL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@pytest.fixture(params=list_schemes())
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return load_scheme(request.param)


def test_flip_is_a_permutation_that_undoes_itself(scheme: Scheme) -> None:
    assert sorted(scheme.flip) == list(range(scheme.n_points))
    assert [scheme.flip[i] for i in scheme.flip] == list(range(scheme.n_points))


def test_groups_hold_every_point_once_and_mirror_onto_themselves(scheme: Scheme) -> None:
    assert sorted(i for points in scheme.groups.values() for i in points) == list(range(scheme.n_points))
    for name, points in scheme.groups.items():
        assert {scheme.flip[i] for i in points} == set(points), name


def test_edges_mirror_onto_edges(scheme: Scheme) -> None:
    # Catches a mistyped range: a left brow that is not the mirror image of the right one.
    edges = {frozenset(edge.points) for edge in scheme.edges}
    assert {frozenset(scheme.flip[i] for i in edge) for edge in edges} == edges
    assert len({edge.name for edge in scheme.edges}) == len(scheme.edges)
    for edge in scheme.edges:
        assert len(edge.points) == len(set(edge.points)) >= 2
        assert max(edge.points) < scheme.n_points


def test_edge_matrix_marks_membership(scheme: Scheme) -> None:
    assert scheme.edge_matrix.shape == (scheme.n_points, len(scheme.edges))
    for column, edge in enumerate(scheme.edges):
        assert set(np.flatnonzero(scheme.edge_matrix[:, column])) == set(edge.points)


def test_eye_ends_are_mirror_images(scheme: Scheme) -> None:
    for ends in (scheme.ocular, scheme.pupil):
        if ends is not None:
            right, left = ends
            assert {scheme.flip[i] for i in right} == set(left)
    assert scheme.pupil is not None


def test_eye_distance_by_hand() -> None:
    points = np.zeros((2, 68, 2), np.float32)
    points[:, 36], points[:, 45] = (0, 0), (3, 4)
    assert load_scheme("ibug68").eye_distance(points, "ocular").tolist() == [5, 5]
    points[:, 37:42], points[:, 42:48] = (0, 0), (6, 8)
    assert load_scheme("ibug68").eye_distance(points, "pupil").tolist() == [10, 10]
    with pytest.raises(ConfigError, match="no ocular distance"):
        load_scheme("five").eye_distance(points[:, :5], "ocular")


def _assert_partners(points: np.ndarray, scheme: Scheme, slack: float = 0.0) -> None:
    """On a mean face, every point's partner must be the point nearest to where the mirror puts it."""
    low, high = points.min(1, keepdims=True), points.max(1, keepdims=True)
    mean = ((points - (low + high) / 2) / (high - low).max(axis=(1, 2), keepdims=True)).mean(0)
    partners = np.c_[mean[list(scheme.flip)], np.ones(len(mean))]
    # An affine map mirrors the mean face and takes out that these people look to one side more often than to the other.
    mirrored = partners @ np.linalg.lstsq(partners, mean, rcond=None)[0]
    distances = np.linalg.norm(mean[:, None] - mirrored, axis=-1)
    wrong = np.flatnonzero(distances.diagonal() > distances.min(1) + slack)
    assert not wrong.size, f"points {wrong} are nearer to the mirror images of others"


def test_mirror_partners_on_real_68_point_faces() -> None:
    folder = _DATA / "300W" / "helen" / "trainset"
    if not folder.is_dir():
        pytest.skip("real faces not found: set DISTILL_DATA")
    faces = np.stack([np.loadtxt(path, skiprows=3, comments="}") for path in sorted(folder.glob("*.pts"))])
    _assert_partners(faces, load_scheme("ibug68"))
    _assert_partners(faces[:, 17:], load_scheme("inner51"))


def test_mirror_partners_on_real_98_point_faces() -> None:
    path = _DATA / "WFLW" / "WFLW_annotations" / "list_98pt_rect_attr_train_test" / "list_98pt_rect_attr_train.txt"
    if not path.is_file():
        pytest.skip("real faces not found: set DISTILL_DATA")
    with path.open() as file:
        rows = [line.split()[:196] for line in file]
    # Few and crooked faces, whose lips (points 0.02 apart) are not quite symmetric in the mean.
    _assert_partners(np.array(rows, np.float64).reshape(-1, 98, 2), load_scheme("wflw98"), slack=0.015)


def test_unknown_schemes_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'ibug68'"):
        load_scheme("ibug86")
    path = tmp_path / "mine.yaml"
    for text in (
        "<html>",
        "name: mine",
        "a: [",
        "name: a\ntitle: b\nn_points: 2\nflip: [[0, 9]]\ngroups: {}\nedges: []",
    ):
        path.write_text(text)
        load_scheme.cache_clear()
        with pytest.raises(ConfigError, match="not a landmark scheme") as caught:
            load_scheme(str(path))
        assert str(path) in str(caught.value)
