"""Rare kinds of faces count for more."""

from pathlib import Path

import numpy as np
import pytest

from distill.data.class_balance import attribute_weights
from distill.data.records import FaceRecord, make_record
from distill.errors import ConfigError


def _faces(*attributes: dict[str, bool | float | str]) -> list[FaceRecord]:
    points = np.array([[10.0, 10], [30, 10], [20, 20], [12, 30], [28, 30]])
    return [
        make_record(
            name=str(i), image=Path("a.png"), landmarks=points, scheme="five", source=Path("a"), attributes=values
        )
        for i, values in enumerate(attributes)
    ]


def test_a_face_counts_by_how_rare_its_kinds_are() -> None:
    """Of four faces two are plain (share 1/2), one is blurred (1/4 + its occlusion's 1/2), two are occluded."""
    plain: dict[str, bool | float | str] = {"blur": False, "occlusion": False}
    faces = _faces({"blur": True, "occlusion": True}, {"blur": False, "occlusion": True}, plain, plain)
    weights = attribute_weights(faces, ["blur", "occlusion"])
    np.testing.assert_allclose(weights / weights[-1], np.array([4 + 2, 2, 2, 2]) / 2, rtol=1e-6)
    assert weights.mean() == pytest.approx(1)


def test_plain_faces_are_not_forgotten() -> None:
    """In the published code a face of no kind weighs nothing."""
    weights = attribute_weights(_faces({"blur": True}, {"blur": False}), ["blur"])
    np.testing.assert_allclose(weights, [1, 1])


def test_a_kind_that_is_absent_changes_nothing() -> None:
    faces = _faces({"blur": False}, {"blur": False})
    np.testing.assert_allclose(attribute_weights(faces, ["blur"]), [1, 1])


def test_mistakes_are_one_line() -> None:
    faces = _faces({"blur": True, "yaw": 3.0}, {"blur": False, "yaw": 4.0})
    with pytest.raises(
        ConfigError, match=r"--data\.balance: not every face says whether it has 'yaw': take some of blur"
    ):
        attribute_weights(faces, ["yaw"])
    with pytest.raises(ConfigError, match="these faces have none; leave it out"):
        attribute_weights(_faces({}, {}), ["blur"])
