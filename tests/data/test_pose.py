"""The pose read off landmarks against the pose the renderer was given."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.data.pose import _nearest_rotation, head_pose
from distill.data.synthetic.parameters import Expression, Identity
from distill.data.synthetic.render import Camera, Person, render_face
from distill.errors import ConfigError
from distill.landmarks import convert, load_scheme


def projected(pose: tuple[float, float, float]) -> Tensor:
    person = Person.build(Identity(), Expression())
    return torch.from_numpy(person.landmarks(Camera(pose, 1e5, 10.0, (100.0, 100.0)))["ibug68"][0])


@pytest.mark.parametrize("scheme", ["ibug68", "inner51", "five"])
@pytest.mark.parametrize("pose", [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 25), (-40, 15, -20), (60, -10, 5)])
def test_neutral_head_seen_from_far_away_gives_its_pose_exactly(pose: tuple[float, float, float], scheme: str) -> None:
    points = torch.from_numpy(convert(projected(pose).numpy(), "ibug68", scheme))
    assert head_pose(points, scheme).numpy() == pytest.approx(np.array(pose), abs=0.1)


def test_generated_people_with_expressions_seen_from_near() -> None:
    faces = [render_face(3, index, 64) for index in range(24)]
    found = head_pose(torch.from_numpy(np.stack([face.landmarks["ibug68"] for face in faces])), "ibug68")
    errors = np.abs(found.numpy() - np.array([face.pose for face in faces]))
    assert np.median(errors, axis=0).max() < 6
    assert (errors[:, 0] < 15).mean() > 0.9


def test_mirrored_face_turns_the_other_way() -> None:
    points = projected((25, 10, 15))
    mirrored = (points * torch.tensor([-1, 1]))[list(load_scheme("ibug68").flip)]
    expected = head_pose(points, "ibug68") * torch.tensor([-1, 1, -1])
    torch.testing.assert_close(head_pose(mirrored, "ibug68"), expected, atol=0.5, rtol=0)


def test_the_unit_does_not_matter_and_single_precision_is_enough() -> None:
    """Losses ask in sides of a crop, evaluation in pixels of a photo."""
    points = torch.stack([projected((25, 10, 15)), projected((-70, -20, 5))])
    in_crop = (points / 500 + 0.3).float()
    torch.testing.assert_close(head_pose(in_crop, "ibug68").double(), head_pose(points, "ibug68"), atol=0.01, rtol=0)


def test_rotation_is_the_nearest_one() -> None:
    """Against the singular vectors, for affine maps far from any rotation."""
    affine = torch.randn(50, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(affine, full_matrices=False)
    torch.testing.assert_close(_nearest_rotation(affine), left @ right)


def test_points_in_one_place_have_no_pose_but_a_number() -> None:
    assert head_pose(torch.full((2, 68, 2), 3.0), "ibug68").isfinite().all()


def test_scheme_without_a_head(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("name: two\ntitle: two\nn_points: 2\nflip: [[0, 1]]\ngroups: {a: 0-1}\nedges: []\n")
    with pytest.raises(ConfigError, match="no points of scheme"):
        head_pose(torch.zeros(2, 2), str(path))
