"""Names of keypoints tell points of another part of the face, another order and other sides."""

import pytest

from distill.landmarks import load_scheme, names_fault

FIVE = ["right_eye", "left_eye", "nose", "right_mouth_corner", "left_mouth_corner"]


@pytest.mark.parametrize(
    "names",
    [
        FIVE,
        ["rightEye", "leftEye", "noseTip", "mouthRight", "mouthLeft"],
        ["R_Eye", "L_Eye", "Nose", "R_Lip", "L_Lip"],
        ["0", "1", "2", "3", "4"],
        ["kpt-1", "kpt-2", "kpt-3", "kpt-4", "kpt-5"],
        ["a", "b", "c", "d", "e"],
    ],
    ids=" ".join,
)
def test_names_that_fit(names: list[str]) -> None:
    assert names_fault(names, load_scheme("five")) is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nose", *FIVE[:2], *FIVE[3:]], "keypoint 0 is called 'nose', but point 0 of five is in eyes"),
        (["kpt-0", "kpt-1", "kpt-3", "kpt-2", "kpt-4"], "keypoint 2 is called 'kpt-3'"),
        (["eye_left", "eye_x", "nose", "mouth", "eye_right"], "keypoint 4 is called 'eye_right'"),
        (["left_point", "eye", "nose", "right_point", "mouth"], "keypoints 0 and 3 are called"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_names_of_other_points(names: list[str], message: str) -> None:
    assert message in (names_fault(names, load_scheme("five")) or "")
