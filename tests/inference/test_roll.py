"""Tilted faces: points of a turned photo are the turned points, and upright faces are placed by one crop as before."""

import re
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from distill.data.synthetic.render import render_face
from distill.detection.detection import Detection
from distill.detection.detector import FaceDetector
from distill.errors import ConfigError
from distill.geometry import Box, CropSpec, apply_affine, box_of_points, invert_affine, normalise, similarity
from distill.inference.backend import Backend
from distill.inference.face import Face
from distill.inference.landmarker import Landmarker
from distill.inference.roll import MAX_ROLL, MORE_CROPS, eyes_of, require_max_roll, roll_settings, turned_crop
from distill.landmarks import load_scheme
from distill.spec import ModelSpec

SIDE = 255
# Red and green of a pixel are its coordinates, so that a crop shows where it was cut out.
PHOTO = np.stack([*np.meshgrid(np.arange(SIDE), np.arange(SIDE)), np.zeros((SIDE, SIDE))], -1).astype(np.uint8)
EYES = ((36,), (45,))


def face_points(roll: float = 0.0, centre: tuple[float, float] = (127.0, 127.0)) -> NDArray[np.float32]:
    """Return 68 points, 60 px wide and high, tilted clockwise by `roll`."""
    points = np.random.default_rng(0).uniform(-30, 30, (68, 2))
    points[36], points[45], points[0], points[1] = (-20, -10), (20, -10), (-30, -30), (30, 30)
    return apply_affine(similarity(1, 0, 0, 1, roll), points) + np.array(centre, np.float32)


class CoordinateNet(Backend):
    """Finds the face nearest to its crop by the colours, and turns it too little where it is tilted by over `MAX_ROLL`.

    Attributes:
        faces: roll and points of each.
        calls: number of crops of each call.
    """

    runtime, sha256 = "none", "0" * 64

    def __init__(self, faces: Sequence[tuple[float, NDArray[np.float32]]], batch: int = 1) -> None:
        self.spec = ModelSpec("net", "ibug68", 68, CropSpec(64, 1.2, 0.1))
        self.faces, self.batch, self.calls = faces, batch, list[int]()

    def __call__(self, images: NDArray[np.float32], /) -> NDArray[np.float32]:
        self.calls.append(len(images))
        return np.stack([self._predict(image[..., :2].astype(np.float64)) for image in images])

    def _predict(self, shown: NDArray[np.float32]) -> NDArray[np.float32]:
        size = self.spec.crop.size
        rows, columns = np.mgrid[:size, :size]
        pixels = np.stack([columns.ravel(), rows.ravel(), np.ones(size * size)], -1)
        to_photo = np.linalg.lstsq(pixels, shown.reshape(-1, 2), rcond=None)[0].T
        middle = shown[size // 2, size // 2]
        roll, points = min(self.faces, key=lambda face: float(np.linalg.norm(face[1].mean(0) - middle)))
        off = (roll - float(np.rad2deg(np.arctan2(to_photo[1, 0], to_photo[0, 0]))) + 180) % 360 - 180
        missed = 0.3 * np.sign(off) * max(0.0, abs(off) - MAX_ROLL)
        affine = similarity(1, *points.mean(0).tolist(), 1, -missed)
        found = apply_affine(affine, points) + points.mean(0)
        return normalise(apply_affine(invert_affine(to_photo), found), size, size)


def box_at(points: NDArray[np.float32], shift: float = 0.0) -> Box:
    x, y = points.mean(0).tolist()
    return Box(x - 30 + shift, y - 30, x + 30 + shift, y + 30)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch):
    """Return a landmarker of a net, whose detector finds its faces."""

    def make(net: CoordinateNet, **options: float) -> Landmarker:
        monkeypatch.setattr("distill.inference.landmarker.open_backend", lambda *_: net)
        return Landmarker("net", lambda _: [Detection(box_at(points), 0.9) for _, points in net.faces], **options)

    return make


@pytest.mark.parametrize("roll", [-14, 0, 14])
def test_an_upright_face_is_placed_by_one_crop(opened, roll: float) -> None:
    net = CoordinateNet([(roll, face_points(roll))])
    (face,), (alone,) = (opened(net, **options)(PHOTO) for options in ({}, {"max_roll": 180}))
    assert net.calls == [1, 1]
    assert (face.crop_roll, face.box) == (0, box_at(net.faces[0][1]))
    np.testing.assert_array_equal(face.landmarks, alone.landmarks)


@pytest.mark.parametrize(("roll", "calls"), [(30, 2), (-45, 2), (80, 3), (-80, 3)])
def test_points_of_a_turned_photo_are_the_turned_points(opened, roll: float, calls: int) -> None:
    """Beyond 50 degrees what the second crop leaves exceeds the largest roll, and there is a third."""
    net = CoordinateNet([(roll, face_points(roll))])
    (face,) = opened(net)(PHOTO)
    assert len(net.calls) == calls
    assert face.crop_roll == pytest.approx(roll, abs=15)
    np.testing.assert_allclose(face.landmarks, face_points(roll), atol=0.1)
    (face,) = opened(net, max_roll=180)(PHOTO)
    assert np.abs(face.landmarks - face_points(roll)).max() > 2


def test_tilted_faces_alone_are_cut_out_again_in_batches_of_the_file(opened) -> None:
    centres = [(60.0, 60.0), (190.0, 60.0), (60.0, 190.0), (190.0, 190.0)]
    net = CoordinateNet([(roll, face_points(roll, at)) for roll, at in zip((40, 0, -40, 30), centres, strict=True)], 2)
    faces = opened(net)(PHOTO)
    assert net.calls == [2, 2, 2, 1]
    assert [face.crop_roll == 0 for face in faces] == [False, True, False, False]
    for face, (_, points) in zip(faces, net.faces, strict=True):
        np.testing.assert_allclose(face.landmarks, points, atol=0.1)


def test_a_followed_face_is_cut_out_once_a_frame_while_it_turns(opened) -> None:
    """Each crop is turned by the roll of the one before, and turned further where the face left it by 15 degrees."""
    net = CoordinateNet([])
    tracker = None
    rolls = [*range(0, 64, 4), *[60] * 6, *range(60, -4, -4)]
    faces = list[Face]()
    for roll in rolls:
        net.faces = [(float(roll), face_points(roll))]
        tracker = tracker or opened(net).tracker()
        faces += tracker(PHOTO)
        np.testing.assert_allclose(tracker._tracks[0].face.landmarks, face_points(roll), atol=0.15)
    changes = sum(before.crop_roll != after.crop_roll for before, after in pairwise(faces))
    assert len(faces) == len(rolls)
    assert len(net.calls) <= len(rolls) + 2 * changes
    assert 6 <= changes <= 8


def test_jitter_around_the_largest_roll_does_not_turn_the_crop_back(opened) -> None:
    net = CoordinateNet([(16.0, face_points(16))])
    tracker = opened(net).tracker()
    found = []
    for index in range(12):
        roll = MAX_ROLL + (1 if index % 2 == 0 else -1)
        net.faces = [(roll, face_points(roll))]
        found += tracker(PHOTO)
    assert {face.crop_roll for face in found} == {found[0].crop_roll}
    assert found[0].crop_roll > 10
    assert len(net.calls) == 13


def test_the_boxes_of_our_detector_become_the_tight_box_of_the_points(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are too large and off the centre of a tilted face; a box of another detector may have any meaning."""
    points = face_points(40)
    net = CoordinateNet([(40.0, points)])
    monkeypatch.setattr(FaceDetector, "__call__", lambda self, photo: [Detection(box_at(points, shift=9), 0.9)])
    landmarker = opened(net)
    landmarker._detect, landmarker._tight = FaceDetector(), True
    (face,) = landmarker(PHOTO)
    assert (face.box.width, face.box.height) == pytest.approx((60, 60), abs=0.2)
    turned = similarity(1, 0, 0, 1, -face.crop_roll)
    tight = box_of_points(apply_affine(turned, points))
    assert apply_affine(turned, np.array(face.box.centre)) == pytest.approx(tight.centre, abs=3)


def test_points_that_are_on_no_face_do_not_choose_the_size_of_the_crop() -> None:
    box = Box(0, 0, 60, 60)
    for points in (face_points(90) * 9, face_points(90) / 9, np.arange(68)[:, None] * [[1.0, 1.0]]):
        found = turned_crop(Face(box, points.astype(np.float32), 0.9), EYES, MAX_ROLL, tight=True)
        assert found is not None
        assert found.box == box
    for points in (np.full((68, 2), np.nan), np.zeros((68, 2))):
        assert turned_crop(Face(box, points, 0.9), EYES, MAX_ROLL, tight=True) is None


def test_a_roll_is_known_of_schemes_with_eyes() -> None:
    assert eyes_of(load_scheme("ibug68")) == EYES
    assert eyes_of(load_scheme("five")) == ((0,), (1,))
    assert eyes_of(load_scheme("menpo39")) is None
    assert turned_crop(Face(Box(0, 0, 60, 60), face_points(90), 0.9), None, MAX_ROLL, tight=False) is None


def test_other_languages_get_what_python_computes_with() -> None:
    settings = {"eyes": EYES, "max_roll": MAX_ROLL, "more_crops": MORE_CROPS}
    assert roll_settings(load_scheme("ibug68")) == {**settings, "tight": True}
    assert roll_settings(load_scheme("faces70")) == {**settings, "tight": False}
    assert roll_settings(load_scheme("menpo39")) is None


@pytest.mark.parametrize(
    ("value", "scheme", "text"),
    [
        (200, "ibug68", "--max_roll 200 is no angle; give 0 to 180 degrees"),
        (float("nan"), "ibug68", "--max_roll nan is no angle"),
        (30, "menpo39", "--max_roll has no effect: the points of menpo39 have no eyes"),
    ],
)
def test_a_roll_without_meaning_or_effect_is_refused(value: float, scheme: str, text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)):
        require_max_roll(value, load_scheme(scheme))
    assert require_max_roll(MAX_ROLL, load_scheme("menpo39")) == MAX_ROLL


def test_the_default_model_places_a_turned_face_as_the_upright_one() -> None:
    """Detector and model as released, on a generated face; in one crop the points are farther off."""
    photo = render_face(3, 0, 256).image
    middle = (photo.shape[1] - 1) / 2
    affine = similarity(256, middle, middle, 256, 45)
    turned = cv2.warpAffine(photo, affine, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    landmarker = Landmarker()
    (upright,), (face,) = landmarker(photo), landmarker(turned)
    landmarker.max_roll = 180
    (alone,) = landmarker(turned)
    expected, side = apply_affine(affine, upright.landmarks), upright.box.height
    off, off_alone = (np.linalg.norm(f.landmarks - expected, axis=1).mean() / side for f in (face, alone))
    assert abs(face.crop_roll) > 30
    assert upright.crop_roll == alone.crop_roll == 0
    assert off < 0.012
    assert off < 0.5 * off_alone
