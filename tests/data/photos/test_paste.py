"""Pasted faces: exact labels, and no face covered."""

import cv2
import numpy as np

from distill.data.photos.config import SceneConfig
from distill.data.photos.paste import PasteFace, paste
from tests.data.photos.test_scene import marked, white_box

BOX = np.array([39.5, 29.5, 79.5, 89.5], np.float32)
FIVE = np.array([[39.5, 29.5], [79.5, 29.5], [59.5, 59.5], [39.5, 89.5], [79.5, 89.5]], np.float32)


def face() -> PasteFace:
    image = np.zeros((120, 120, 3), np.uint8)
    image[30:90, 40:80] = 255
    return PasteFace(image, BOX, FIVE)


def test_labels_are_exact() -> None:
    config = SceneConfig(paste_smallest=40, paste_largest=50)
    for seed in range(10):
        scene = paste(marked([]), [face()], config, np.random.default_rng(seed))
        assert len(scene.boxes) == 1
        assert np.allclose(scene.boxes[0], white_box(scene.image), atol=1.1)
        x0, y0, x1, y1 = scene.boxes[0]
        assert np.allclose(scene.points[0][[0, 1, 3, 4]], [[x0, y0], [x1, y0], [x0, y1], [x1, y1]], atol=1e-3)
        assert 40 <= y1 - y0 <= 50


def test_a_tilted_face_has_the_box_and_points_of_what_is_seen() -> None:
    """A white ellipse instead of a head; its box is read off the scene."""
    image = cv2.ellipse(np.zeros((120, 120, 3), np.uint8), (60, 60), (20, 30), 0, 0, 360, (255, 255, 255), -1)
    face = PasteFace(image, np.array([40, 30, 80, 90], np.float32), np.array([[60, 30]] * 5, np.float32))
    config, rolls = SceneConfig(paste_smallest=40, paste_largest=50, paste_roll=60), []
    for seed in range(10):
        scene = paste(marked([]), [face], config, np.random.default_rng(seed))
        assert np.allclose(scene.boxes[0], white_box(scene.image), atol=1.6)
        up = scene.points[0][0] - (scene.boxes[0][:2] + scene.boxes[0][2:]) / 2
        rolls.append(np.degrees(np.arctan2(up[0], -up[1])))
        assert scene.image[tuple(np.rint(scene.points[0][0] - up * 0.1).astype(int)[::-1])].min() > 200
    assert min(rolls) < -20
    assert max(rolls) > 20


def test_other_faces_are_not_covered() -> None:
    photo = marked([[20, 10, 90, 90]], ignored=(0,))
    scene = paste(photo, [face()] * 4, SceneConfig(paste_smallest=20, paste_largest=20), np.random.default_rng(0))
    assert len(scene.boxes) > 1
    assert (scene.image[11:90, 21:90] == photo.image[11:90, 21:90]).all()
    assert scene.ignored.tolist() == [True] + [False] * (len(scene.boxes) - 1)


def test_a_face_without_room_is_left_out() -> None:
    photo = marked([[0, 0, 199, 99]])
    scene = paste(photo, [face()], SceneConfig(), np.random.default_rng(0))
    assert (scene.image == photo.image).all()
    assert len(scene.boxes) == 1
