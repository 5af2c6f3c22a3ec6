"""The detector's parts on made arrays, and the whole on real photos where there are some."""

import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from distill.detection.detector import (
    FULL_RANGE,
    SHORT_RANGE,
    FaceDetector,
    anchor_centres,
    box_from_points,
    group,
    locate_model,
    squares,
)
from distill.errors import ConfigError
from distill.images import read_image


def test_anchors_follow_the_published_order() -> None:
    """Catches x and y exchanged, and anchors of one cell not lying together."""
    short = anchor_centres(SHORT_RANGE.layers)
    assert short.shape == (896, 2)
    np.testing.assert_allclose(short[:3], [[1 / 32, 1 / 32], [1 / 32, 1 / 32], [3 / 32, 1 / 32]])
    np.testing.assert_allclose(short[512:519:6], [[1 / 16, 1 / 16], [3 / 16, 1 / 16]])
    assert anchor_centres(FULL_RANGE.layers).shape == (2304, 2)


def test_group_merges_copies_and_drops_parts() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [2, 2, 6, 6], [30, 0, 40, 10.0]])
    groups = group(boxes, np.array([0.9, 0.8, 0.7, 0.95]))
    assert [list(indices) for indices in groups] == [[3], [0, 1]]


def test_group_ends_on_boxes_without_area() -> None:
    """A box that does not overlap itself must not loop forever."""
    assert len(group(np.zeros((3, 4)), np.ones(3))) >= 1
    assert group(np.zeros((0, 4)), np.zeros(0)) == []


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1000, 90), (7, 7)])
def test_tiles_cover_every_pixel_and_overlap(width: int, height: int) -> None:
    """Catches a gap between tiles, in which a small face would be lost."""
    covered = np.zeros((height, width), bool)
    found = list(squares(width, height, (2,)))
    for side, x, y in found:
        rows = slice(max(0, round(y - side / 2 + 0.5)), round(y + side / 2 + 0.5))
        columns = slice(max(0, round(x - side / 2 + 0.5)), round(x + side / 2 + 0.5))
        covered[rows, columns] = True
    assert covered.all()
    across = sorted({x for _, x, _ in found})
    assert all(right - left <= 0.75 * found[0][0] + 1e-9 for left, right in itertools.pairwise(across))


def test_box_turns_with_the_mirror_and_scales() -> None:
    """The table must be symmetric, or faces would drift to one side; and know no unit."""
    centre, size = [50.0, 60.0], [40.0, 40.0]
    right = [[40, 52], [60, 50], [52, 62], [50, 72], [32, 55], [68, 54]]
    values = np.array([centre, size, *right], float)
    mirrored = values[[0, 1, 3, 2, 4, 5, 7, 6]] * [-1, 1]
    mirrored[1] = values[1]
    box, other = box_from_points(values), box_from_points(mirrored)
    np.testing.assert_allclose([-other.x1, other.y0, -other.x0, other.y1], box, atol=0.05)
    np.testing.assert_allclose(box_from_points(values * 3), np.array(box) * 3, atol=1e-9)


def test_missing_files_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path / SHORT_RANGE.file}: no such detector file")):
        locate_model(SHORT_RANGE.file, tmp_path)


def test_the_detector_does_not_need_mediapipe() -> None:
    code = "import sys; from distill.detection.detector import *; FaceDetector(); print('mediapipe' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_no_face_in_plain_and_tiny_photos() -> None:
    detector = FaceDetector()
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    for photo in (np.zeros((1, 1, 3), np.uint8), np.full((300, 20, 3), 90, np.uint8), noise):
        assert detector(photo) == []


def test_small_faces_in_real_photos(real_data: Path) -> None:
    """The short-range net alone finds 12 of these 43; two boxes on one face are a failure too."""
    detector, found, boxes = FaceDetector(), 0, 0
    for part in ("training", "testing"):
        tree = ElementTree.parse(real_data / "dlib_faces" / f"{part}_with_face_landmarks.xml")
        for entry in tree.getroot().iter("image"):
            photo = read_image(real_data / "dlib_faces" / entry.attrib["file"])
            centres = np.array([face.box.centre for face in detector(photo)])
            boxes += len(centres)
            for face in entry.iter("box"):
                points = np.array([[float(part.attrib[axis]) for axis in "xy"] for part in face.iter("part")])
                found += int(((centres > points.min(0)) & (centres < points.max(0))).all(1).sum() == 1)
    assert found >= 42
    assert boxes <= 44


def test_boxes_fit_the_training_convention(real_data: Path) -> None:
    """Catches a calibration that drifted from the tight box of the 68 points."""
    detector = FaceDetector()
    offsets, sizes = [], []
    for path in sorted((real_data / "300W" / "helen" / "testset").glob("*.pts"))[::12]:
        text = path.read_text()
        points = np.array(text[text.index("{") + 1 : text.index("}")].split(), float).reshape(-1, 2) - 1
        low, high = points.min(0), points.max(0)
        longer = (high - low).max()
        photo = read_image(path.with_suffix(".jpg"))
        faces = [face.box for face in detector(photo)]
        near = min(np.hypot(*(np.array(box.centre) - (low + high) / 2)) / longer for box in faces)
        offsets.append(near)
        sizes.append(np.log(max(faces[0].width, faces[0].height) / longer))
    assert np.mean(offsets) < 0.045
    assert abs(np.mean(sizes)) < 0.03
