"""Faces are followed: ids are stable, the detector runs rarely, and what is lost is detected again."""

from collections.abc import Sequence

import numpy as np
import pytest

from distill.detection.detection import Detection
from distill.errors import ConfigError
from distill.geometry import Box
from distill.inference.face import Face
from distill.inference.track_config import TrackConfig, tracking_options
from distill.inference.tracking import Tracker, matched

SHAPE = np.random.default_rng(0).uniform(-1, 1, (20, 2))
SIDE = 40.0
PHOTO = np.zeros((240, 320, 3), np.uint8)


def box_at(x: float, y: float) -> Box:
    return Box(x - SIDE / 2, y - SIDE / 2, x + SIDE / 2, y + SIDE / 2)


class Scene:
    """Faces at known positions: landmarks are right where a crop shows a face, and not placed elsewhere."""

    def __init__(self, centres: Sequence[tuple[float, float]], noise: float = 0.0) -> None:
        self.centres = list(centres)
        self.hidden: set[int] = set()
        self.unplaced: set[int] = set()
        self._rng, self._noise = np.random.default_rng(1), noise

    def detect(self, photo: np.ndarray) -> list[Detection]:
        return [Detection(box_at(*at), 0.9) for index, at in enumerate(self.centres) if index not in self.hidden]

    def locate(self, photo: np.ndarray, detections: Sequence[Detection]) -> list[Face]:
        return [self._face(*detection[:2]) for detection in detections]

    def _face(self, box: Box, score: float) -> Face:
        for index, centre in enumerate(self.centres):
            if np.abs(np.array(box.centre) - centre).max() < SIDE / 2:
                points = np.array(centre) + SIDE / 2 * SHAPE + self._rng.normal(0, self._noise, SHAPE.shape)
                return Face(box, points.astype(np.float32), score, placed=index not in self.unplaced)
        return Face(box, np.zeros(SHAPE.shape, np.float32), score, placed=False)

    def tracker(self, redetect: int = 10, smooth: bool = False) -> Tracker:
        return Tracker(self.detect, self.locate, TrackConfig(redetect, smooth))


def test_moving_faces_keep_their_ids_and_are_detected_once_in_a_while() -> None:
    """They pass each other's first position, so that ids by place in the list or by a fixed box would be wrong."""
    scene = Scene([(60, 60), (260, 160)])
    tracker = scene.tracker(redetect=10)
    for index in range(30):
        scene.centres = [(60 + 7 * index, 60), (260 - 7 * index, 160)]
        faces = tracker(PHOTO)
        assert [face.id for face in faces] == [1, 2]
        for face, centre in zip(faces, scene.centres, strict=True):
            assert face.box.centre == pytest.approx(centre, abs=1e-3)
    assert tracker.detections == 3


def test_a_lost_face_is_detected_in_the_same_frame_and_keeps_its_id() -> None:
    scene = Scene([(60, 60), (200, 60)])
    tracker = scene.tracker(redetect=100)
    tracker(PHOTO)
    scene.centres[0] = (60, 60 + 0.52 * SIDE)  # out of the crop, and still in part where it was
    assert [face.id for face in tracker(PHOTO)] == [1, 2]
    assert tracker.detections == 2
    scene.centres[0] = (60, 200)  # somewhere else: another face as far as a tracker can know
    assert [face.id for face in tracker(PHOTO)] == [2, 3]


def test_a_face_that_is_gone_for_a_moment_keeps_its_id() -> None:
    """A hand before the face: not placed and not detected for three frames."""
    scene = Scene([(60, 60)])
    tracker = scene.tracker(redetect=10)
    tracker(PHOTO)
    scene.unplaced, scene.hidden = {0}, {0}
    assert [tracker(PHOTO) for _ in range(3)] == [[], [], []]
    scene.unplaced, scene.hidden = set(), set()
    assert [face.id for face in tracker(PHOTO)] == [1]


def test_new_faces_are_found_at_the_next_detection_and_gone_ones_dropped() -> None:
    scene = Scene([(60, 60)])
    tracker = scene.tracker(redetect=4)
    tracker(PHOTO)
    scene.centres.append((200, 60))
    assert [[face.id for face in tracker(PHOTO)] for _ in range(4)] == [[1], [1], [1], [1, 2]]
    scene.hidden = {0}  # the landmarks still seem placed, but the detector disagrees
    assert [[face.id for face in tracker(PHOTO)] for _ in range(8)][-1] == [2]


def test_a_face_that_cannot_be_placed_is_marked_in_every_frame() -> None:
    """It must not flicker: the detector goes on while there is one, and its id stays."""
    scene = Scene([(60, 60)])
    scene.unplaced = {0}
    tracker = scene.tracker(redetect=10)
    found = [tracker(PHOTO) for _ in range(3)]
    assert [(face.id, face.placed) for (face,) in found] == [(1, False)] * 3


def test_two_tracks_on_one_face_become_one() -> None:
    scene = Scene([(60, 60), (140, 60)])
    tracker = scene.tracker(redetect=100)
    tracker(PHOTO)
    for x in range(140, 60, -4):
        scene.centres[1] = (x, 60)
        faces = tracker(PHOTO)
    assert [face.id for face in faces] == [1]


def test_smoothing_removes_jitter_and_leaves_the_crop_alone() -> None:
    spread = {}
    for smooth in (False, True):
        scene = Scene([(60, 60)], noise=0.3)
        tracker = scene.tracker(redetect=1000, smooth=smooth)
        faces = [tracker(PHOTO, index / 25)[0] for index in range(200)]
        spread[smooth] = np.std([face.landmarks for face in faces[20:]], 0).mean()
        boxes = [face.box for face in faces]
        spread[f"box {smooth}"] = boxes[-1]
    assert spread[True] < 0.75 * spread[False]
    assert spread["box True"] == spread["box False"]


def test_matches_are_the_best_pairs() -> None:
    boxes = [box_at(0, 0), box_at(10, 0)]
    assert matched(boxes, [box_at(9, 0), box_at(100, 0)]) == {1: 0}
    assert matched(boxes, [box_at(9, 0), box_at(1, 0)]) == {0: 1, 1: 0}
    assert matched([], boxes) == {}


def test_numbers_of_frames_are_positive() -> None:
    with pytest.raises(ConfigError, match="--redetect 0 must be at least 1"):
        TrackConfig(redetect=0)
    with pytest.raises(ConfigError, match="--max_frames 0 must be at least 1"):
        tracking_options(True, redetect=5, smooth=True, max_frames=0)
