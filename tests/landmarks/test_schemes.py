"""Every scheme's data hangs together, and its mirror partners are mirror partners on real faces."""

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distill.data.readers import read_faces
from distill.data.records import FaceRecord
from distill.errors import ConfigError
from distill.landmarks import Scheme, convert, list_schemes, load_scheme, scheme_name
from distill.landmarks.convert import clear_own_schemes_and_maps


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
    profile = scheme.flip == tuple(range(scheme.n_points))
    assert ("pupil" in scheme.normalisers) is not profile, "every scheme of a whole face has two eyes"
    assert scheme.normalisers[-1] == "box"


def test_eye_distance_by_hand() -> None:
    points = np.zeros((2, 68, 2), np.float32)
    points[:, 36], points[:, 45] = (0, 0), (3, 4)
    assert load_scheme("ibug68").eye_distance(points, "ocular").tolist() == [5, 5]
    points[:, 37:42], points[:, 42:48] = (0, 0), (6, 8)
    assert load_scheme("ibug68").eye_distance(points, "pupil").tolist() == [10, 10]
    with pytest.raises(ConfigError, match="no ocular distance"):
        load_scheme("five").eye_distance(points[:, :5], "ocular")


def _is_frontal(record: FaceRecord) -> bool:
    """Whether the nose tip lies near the middle between the eyes: turned faces have no symmetric mean."""
    right, left, nose = record.in_scheme("five").landmarks[:3]
    return abs((nose - (right + left) / 2) @ (left - right)) < 0.15 * ((left - right) ** 2).sum()


def _align(face: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Turn, scale and move points (k, 2) onto others."""
    a, b = (points[:, 0] + 1j * points[:, 1] for points in (face - face.mean(0), target - target.mean(0)))
    moved = a * (np.vdot(a, b) / np.vdot(a, a))
    return np.stack([moved.real, moved.imag], axis=1) + target.mean(0)


def _assert_partners(points: np.ndarray, scheme: Scheme, slack: float = 0.0) -> None:
    """On a mean face, every point's partner must be the point nearest to where the mirror puts it.

    `slack` is a fraction of the size of the face, for means of few people.
    """
    mean = points[0]
    for _ in range(5):
        mean = np.mean([_align(face, mean) for face in points], axis=0)
    mean = (mean - mean.mean(0)) / np.ptp(mean, axis=0).max()
    partners = np.c_[mean[list(scheme.flip)], np.ones(len(mean))]
    # An affine map mirrors the mean face and takes out that these people look to one side more often than to the other.
    mirrored = partners @ np.linalg.lstsq(partners, mean, rcond=None)[0]
    distances = np.linalg.norm(mean[:, None] - mirrored, axis=-1)
    wrong = np.flatnonzero(distances.diagonal() > distances.min(1) + slack)
    assert not wrong.size, f"points {wrong} are nearer to the mirror images of others"


@pytest.mark.parametrize(
    ("name", "format", "folder", "subsets", "slack"),
    [
        ("ibug68", "300w", "300W", ["helen/trainset"], 0.0),
        ("inner51", "300w", "300W", ["helen/trainset"], 0.0),
        ("five", "300w", "300W", ["helen/trainset"], 0.0),
        ("ten", "300w", "300W", ["helen/trainset"], 0.0),
        ("wflw98", "wflw", "WFLW", None, 0.0),
        # 21 faces, one end of whose jaws lies higher than the other.
        ("faces70", "face_synthetics", "FaceSynthetics", None, 0.02),
        ("webmorph189", "webmorph", "webmorph", ["canada", "composite"], 0.001),
        ("webmorph106", "webmorph", "webmorph", ["lisa"], 0.001),
        # Four faces; the lips touch, so their inner points nearly coincide.
        ("webmorph83", "webmorph", "webmorph", ["zoom"], 0.003),
    ],
)
def test_mirror_partners_on_real_faces(
    real_data: Path, name: str, format: str, folder: str, subsets: list[str] | None, slack: float
) -> None:
    records = [record for record in read_faces(format, real_data / folder, subsets) if _is_frontal(record)]
    assert len(records) >= 4
    faces = np.stack([record.in_scheme(name).landmarks for record in records])
    _assert_partners(faces, load_scheme(name), slack)


def test_first_68_of_70_are_those_of_300w() -> None:
    assert load_scheme("faces70").flip[:68] == load_scheme("ibug68").flip


@pytest.mark.parametrize("name", ["lapa106", "cofw29", "aflw19"])
def test_partners_lie_side_by_side_on_two_faces(real_data: Path, name: str) -> None:
    # Two turned and grimacing faces have no symmetric mean, but partners are level and the right one is on the left.
    scheme = load_scheme(name)
    for record in read_faces("coco", real_data / "mmpose_samples" / name.rstrip("0123456789"), scheme=name):
        right, left = (record.landmarks[list(end)].mean(0) for end in scheme.ocular or ())
        across = (left - right) / np.linalg.norm(left - right) ** 2
        x = record.landmarks @ across
        y = record.landmarks @ [-across[1], across[0]]
        middle = np.median((x + x[list(scheme.flip)]) / 2)
        for i, j in enumerate(scheme.flip):
            if i != j:
                assert abs(y[i] - y[j]) < 0.25, f"{i} and {j} are not level"
                # The wings of a turned nose lie on one side of the face's middle.
                wide = abs(x[i] - x[j]) > 0.4
                assert not wide or min(x[i], x[j]) < middle < max(x[i], x[j]), f"{i} and {j} are on one side"


def test_mirror_partners_of_muct_follow_from_its_own_mirrored_rows(real_data: Path) -> None:
    with (real_data / "muct" / "muct-landmarks" / "muct76-opencv.csv").open() as file:
        rows = {row[0]: np.array(row[2:138], float).reshape(68, 2) for row in csv.reader(file) if row[0] != "name"}
    flip, pairs = np.array(load_scheme("muct76").flip[:68]), 0
    for name, points in rows.items():
        mirrored = rows.get(f"ir{name[1:]}")
        if mirrored is not None and points.all() and mirrored.all():
            # Photos are 480 wide; the mirror of pixel centre x is 479 - x.
            np.testing.assert_allclose(mirrored, points[flip] * [-1, 1] + [479, 0], atol=0.11)
            pairs += 1
    assert pairs > 500


def test_brows_that_the_template_of_webmorph_swaps_are_right(real_data: Path) -> None:
    # The partners the template lists for 56 and 57 are each other's; on every face they cross.
    faces = [r.landmarks for r in read_faces("webmorph", real_data / "webmorph", ["lisa"])]
    flip = load_scheme("webmorph106").flip
    assert (flip[56], flip[57]) == (64, 63)
    for face in faces:
        inner, outer = np.linalg.norm(face[57] - face[63]), np.linalg.norm(face[56] - face[64])
        assert inner < outer


def test_users_scheme_with_a_profile_and_own_groups(tmp_path: Path) -> None:
    path = tmp_path / "custom.yaml"
    path.write_text(
        "name: custom\ntitle: m\nn_points: 4\nflip: [[0, 1]]\nedges: []\npupil: [[0], [1]]\n"
        "groups: {right_eye: [0], left_eye: [1], rest: 2-3}\n"
        "from: {ibug68: {exact: false, points: [36, 45, {mean: 0-16}, {blend: {3: 0.25, 8: 0.75}}]}}\n"
    )
    scheme = load_scheme(path)
    assert scheme_name(path) == "custom"
    assert scheme.normalisers == ("pupil", "box")
    assert convert(np.zeros((68, 2)), "ibug68", str(path)).shape == (4, 2)


_GOOD = {
    "name": "custom",
    "title": "custom",
    "n_points": 4,
    "flip": [[0, 1]],
    "groups": {"eyes": "0-1", "rest": [2, 3]},
    "edges": [{"name": "all", "points": "0-3", "closed": False}],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_points": 0}, "n_points: 0"),
        ({"n_points": True}, "n_points: True"),
        ({"n_points": 10**9}, "n_points"),
        ({"flip": [[0, 9]]}, "flip: pair [0, 9] holds point 9, but there are 4"),
        ({"flip": [[0, 1], [1, 2]]}, "flip: point 1 has two partners, 0 and 2"),
        ({"flip": [[0, 0]]}, "flip: pair [0, 0] holds point 0 twice"),
        ({"flip": [[0, 1, 2]]}, "flip: [0, 1, 2] is not a pair"),
        ({"flip": "none"}, "flip: must be a list"),
        ({"groups": {"eyes": "0-1", "rest": [1, 2, 3]}}, "groups: point 1 is in eyes and in rest"),
        ({"groups": {"eyes": "0-1", "rest": [3]}}, "groups: point 2 is in no group"),
        ({"groups": {"eyes": "0-1", "rest": "2-4"}}, "groups: rest holds point 4"),
        ({"groups": {}}, "groups: must name"),
        ({"groups": {"a": "0-999999999"}}, "groups: range"),
        ({"edges": [{"name": "a", "points": [0, 7], "closed": True}]}, "edges: a holds point 7"),
        ({"edges": [{"name": "a", "points": [0], "closed": True}]}, "edges: a has one point"),
        ({"edges": [{"name": "a", "points": [0, 1], "closed": 1}]}, "edges: a: closed is 1"),
        ({"edges": [{"name": "a", "points": [0, 1]}]}, "edges: "),
        ({"edges": [*_GOOD["edges"], *_GOOD["edges"]]}, "edges: 2 edges are called all"),
        ({"ocular": [[0], [2]]}, "ocular: the ends [0] and [2] are not mirror images"),
        ({"pupil": [[0]]}, "pupil: must be two ends"),
        ({"pupil": [[0], [-1]]}, "pupil: '-1' is not an index"),
        ({"from": {"ibug68": {"exact": True, "points": [1, 2]}}}, "from: the rules for ibug68 make 2 points of 4"),
        ({"from": {"ibug68": {"points": ["0-3"]}}}, "from: ibug68 needs exact"),
        ({"from": {"ibug68": {"exact": True, "points": ["0-2", {"median": 1}]}}}, "from: {'median': 1}"),
        ({"from": {"ibug68": {"exact": True, "points": ["0-2", {"blend": {1: 0.5}}]}}}, "from: the weights"),
        (
            {"from": {"ibug68": {"exact": True, "points": ["0-2", {"blend": {"36-37": 1.0}}]}}},
            "from: blend {'36-37': 1.0} is not",
        ),
        ({"from": {"ibug68": {}}}, "from: ibug68 holds"),
        ({"from": [1]}, "from: must map"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"grups": {}}, "unknown key 'grups': did you mean 'groups'"),
    ],
)
def test_a_broken_scheme_is_one_line_that_names_the_key(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "custom.yaml"
    path.write_text(yaml.safe_dump({**_GOOD, **change}))
    with pytest.raises(ConfigError) as caught:
        load_scheme(str(path))
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_to_a_scheme_raises_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    text = bytearray(yaml.safe_dump({**_GOOD, "from": {"five": {"exact": False, "points": ["0-3"]}}}).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(text) - 1))
        text[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = tmp_path / "custom.yaml"
    path.write_bytes(text)
    clear_own_schemes_and_maps()
    with suppress(ConfigError):
        scheme = load_scheme(str(path))
        assert [scheme.flip[i] for i in scheme.flip] == list(range(scheme.n_points))


def test_unknown_schemes_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'ibug68'"):
        load_scheme("ibug86")
    path = tmp_path / "custom.yaml"
    for text in ("<html>", "name: custom", "a: [", "", "\x00"):
        path.write_text(text)
        clear_own_schemes_and_maps()
        with pytest.raises(ConfigError, match="not a landmark scheme") as caught:
            load_scheme(str(path))
        assert str(path) in str(caught.value)
