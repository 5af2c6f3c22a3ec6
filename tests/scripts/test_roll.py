"""Tilted faces: turned photos, and what a largest roll gives of the crops of a face."""

import numpy as np
import pytest

from scripts.studies.roll import ANGLES, BOXES, CANDIDATES, MODELS, Stage, choice, chosen, measured, table, turned

# The first crop leaves 40 degrees, the second 18, the third 4.
TILTED = [Stage(0.2, 40.0), Stage(0.06, 18.0), Stage(0.04, 4.0), Stage(0.03, 1.0)]
UPRIGHT = [Stage(0.02, 8.0)] * 4


@pytest.mark.parametrize("roll", [0, 30, -90])
def test_points_are_turned_with_their_photo_which_stays_whole(roll: int) -> None:
    photo = np.zeros((60, 90, 3), np.uint8)
    points = np.array([[20.0, 15.0], [70.0, 20.0], [30.0, 40.0]], np.float32)
    for x, y in points.astype(int):
        photo[y - 1 : y + 2, x - 1 : x + 2] = 255
    found, moved = turned(photo, points, roll)
    for x, y in np.rint(moved).astype(int):
        assert found[y, x].min() > 150
    right = moved[1] - moved[0]
    expected = np.rad2deg(np.arctan2(5, 50)) + roll
    assert np.rad2deg(np.arctan2(right[1], right[0])) == pytest.approx(expected, abs=0.01)


def test_the_crop_chosen_is_the_first_that_is_upright_enough() -> None:
    assert [chosen(TILTED, roll, 3) for roll in (180, 40, 20, 15, 0)] == [0, 0, 1, 2, 3]
    assert [chosen(TILTED, 15, crops) for crops in (0, 1, 2)] == [0, 1, 2]


def test_both_tables_hold_all_angles_and_candidates() -> None:
    every = measured([TILTED, UPRIGHT])
    assert every["without"] == {"nme_percent": 11.0, "further_crops": 0.0}
    assert every["with"] == {"nme_percent": 3.0, "further_crops": 1.0}
    by_angle = {str(angle): every for angle in ANGLES}
    study = {
        "faces": 2,
        "found": dict.fromkeys(by_angle, 1),
        "models": {name: dict.fromkeys(BOXES, by_angle) for name in MODELS},
    }
    lines = table(study).splitlines()
    assert lines[2].startswith(f"| `{MODELS[0]}` | annotated | upright | 11.00 |")
    assert lines[-1].endswith("50 |")
    assert len(choice(study).splitlines()) == 2 + len(CANDIDATES)
