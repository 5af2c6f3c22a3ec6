"""Slices hold the faces they are named after."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.data.synthetic import render_face
from distill.evaluate.faces import FaceSet, load_faces
from distill.evaluate.subgroups import by_subgroup, subgroups
from tests.support.evaluation import Measure


def faces_of(root: Path, **changes: object) -> FaceSet:
    faces = load_faces("inner51", format="manifest", root=root)
    return replace(
        faces, records=tuple(replace(r, **{k: v[i] for k, v in changes.items()}) for i, r in enumerate(faces.records))
    )  # type: ignore[index]


def test_sets_and_attributes(root: Path) -> None:
    attributes = [{"occlusion": i % 2 == 0, "camera": "ab"[i % 2], "yaw": float(i)} for i in range(9)]
    found = subgroups(faces_of(root, attributes=attributes))
    assert {name: int(mask.sum()) for name, mask in found["set"].items()} == {"common": 6, "hard": 3}
    assert {name: int(mask.sum()) for name, mask in found["attribute"].items()} == {
        "occlusion": 5, "camera a": 5, "camera b": 4,
    }  # fmt: skip


def test_one_set_without_attributes_is_no_slice(root: Path) -> None:
    found = subgroups(load_faces("inner51", format="manifest", root=root, subset="hard"))
    assert "set" not in found
    assert "attribute" not in found


def test_pose_buckets_hold_faces_of_that_pose(root: Path) -> None:
    rendered = [render_face(2, index, 64) for index in range(9)]
    faces = load_faces("ibug68", format="manifest", root=root)
    faces = replace(
        faces,
        scheme="ibug68",
        records=tuple(
            replace(r, landmarks=f.landmarks["ibug68"]) for r, f in zip(faces.records, rendered, strict=True)
        ),
    )
    yaws = np.abs([face.pose[0] for face in rendered])
    found = subgroups(faces)["yaw"]
    assert sum(mask.astype(int) for mask in found.values()).tolist() == [1] * 9
    turned = [index for name, mask in found.items() if name in ("30-45°", "over 45°") for index in np.flatnonzero(mask)]
    assert all(yaws[index] > 20 for index in turned)


def test_faces_with_unknown_points_have_no_pose(root: Path) -> None:
    known = [np.arange(51) > 3] * 9
    assert "yaw" not in subgroups(faces_of(root, known=known))


def test_the_slices_add_up_to_the_whole(root: Path, measure: Measure) -> None:
    evaluation = measure(shift=(3, 4))
    found = by_subgroup(evaluation, load_faces("inner51", format="manifest", root=root))
    assert sum(part["faces"] for part in found["set"].values()) == 9
    assert all(abs(part["nme_percent"] - 12.5) < 1e-3 for part in found["set"].values())
