"""The pose read off landmarks against the pose the renderer was given."""

from pathlib import Path

import numpy as np
import pytest

from distill.data.pose import head_pose
from distill.data.synthetic.parameters import Expression, Identity
from distill.data.synthetic.render import Camera, Person, render_face
from distill.errors import ConfigError
from distill.landmarks import convert, load_scheme


def seen(pose: tuple[float, float, float]) -> np.ndarray:
    person = Person.build(Identity(), Expression())
    return person.landmarks(Camera(pose, 1e5, 10.0, (100.0, 100.0)))["ibug68"][0]


@pytest.mark.parametrize("scheme", ["ibug68", "inner51", "five"])
@pytest.mark.parametrize("pose", [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 25), (-40, 15, -20), (60, -10, 5)])
def test_neutral_head_seen_from_far_away_gives_its_pose_exactly(pose: tuple[float, float, float], scheme: str) -> None:
    points = convert(seen(pose), "ibug68", scheme)
    assert head_pose(points, scheme) == pytest.approx(np.array(pose), abs=0.1)


def test_generated_people_with_expressions_seen_from_near() -> None:
    faces = [render_face(3, index, 64) for index in range(24)]
    found = head_pose(np.stack([face.landmarks["ibug68"] for face in faces]), "ibug68")
    errors = np.abs(found - np.array([face.pose for face in faces]))
    assert np.median(errors, axis=0).max() < 6
    assert (errors[:, 0] < 15).mean() > 0.9


def test_mirrored_face_turns_the_other_way() -> None:
    points = seen((25, 10, 15))
    mirrored = (points * [-1, 1])[list(load_scheme("ibug68").flip)]
    assert head_pose(mirrored, "ibug68") == pytest.approx(head_pose(points, "ibug68") * [-1, 1, -1], abs=0.5)


def test_scheme_without_a_head(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("name: two\ntitle: two\nn_points: 2\nflip: [[0, 1]]\ngroups: {a: 0-1}\nedges: []\n")
    with pytest.raises(ConfigError, match="no points of scheme"):
        head_pose(np.zeros((2, 2)), str(path))
