"""Third-party detectors on photos: positions come back to the photo, and boxes lose the forehead or are calibrated."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.data.photos.paste_faces import wider_box
from distill.data.synthetic.render import render_face
from distill.detection.retinaface.box_calibration import fit_table
from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.third_party.description import ThirdPartySpec, write_third_party_spec
from distill.detection.third_party.detector import ThirdPartyDetector, calibration_points, fitted, landmark_boxes
from distill.errors import ConfigError
from tests.support.third_party_files import white_cell, write_scrfd, write_yunet

POINTLESS = np.zeros((1, 0, 2))


def test_a_face_is_where_it_is_in_the_photo(tmp_path: Path) -> None:
    """A photo of 128 x 96 px is halved for the fixed input of 64 px, and a box of 24 x 32 px is doubled."""
    detector = ThirdPartyDetector(write_yunet(tmp_path / "yunet.onnx"))
    photo = cv2.resize(white_cell(64, 48, 2, 3), (128, 96), interpolation=cv2.INTER_NEAREST)
    found = detector.find(photo)
    np.testing.assert_allclose(found.boxes, [[40 - 24.5, 56 - 32.5, 40 + 23.5, 56 + 31.5]], atol=1e-4)
    np.testing.assert_allclose(found.points[0, 2], [40 - 0.5, 56 - 0.5], atol=1e-4)
    (face,) = detector(photo)
    assert face.box.y1 == pytest.approx(56 + 31.5)
    assert face.box.height == pytest.approx(64 / 1.31)
    assert face.score == pytest.approx(1, abs=1e-3)
    assert face.points is not None
    assert detector(np.zeros((90, 120, 3), np.uint8)) == []
    assert detector(np.zeros((1, 1, 3), np.uint8)) == []


def test_opencv_finds_the_same_boxes(tmp_path: Path) -> None:
    """The reader of YuNet files in OpenCV, on the same file and image; its positions count from edges of pixels."""
    path = write_yunet(tmp_path / "yunet.onnx")
    photo = np.maximum(white_cell(64, 64, 2, 3), white_cell(64, 64, 6, 5))
    reference = cv2.FaceDetectorYN.create(str(path), "", (64, 64), 0.9, 0.3)
    _, expected = reference.detect(photo[..., ::-1].copy())
    found = ThirdPartyDetector(path).find(photo)
    corners = np.concatenate([expected[:, :2], expected[:, :2] + expected[:, 2:4]], axis=1)
    order, reference_order = found.boxes[:, 0].argsort(), corners[:, 0].argsort()
    np.testing.assert_allclose(found.boxes[order] + 0.5, corners[reference_order], atol=1e-3)
    points = expected[reference_order, 4:14].reshape(-1, 5, 2)
    np.testing.assert_allclose(found.points[order] + 0.5, points, atol=1e-3)
    np.testing.assert_allclose(found.scores[order], expected[reference_order, 14], atol=1e-3)


def test_wide_photos_are_searched_in_tiles(tmp_path: Path) -> None:
    """Scaled to 64 px, a photo of 640 x 64 px has no cell that is white enough."""
    detector = ThirdPartyDetector(write_yunet(tmp_path / "yunet.onnx"))
    photo = np.zeros((64, 640, 3), np.uint8)
    photo[20:44, 500:524] = 255
    boxes = detector.find(photo).boxes
    assert len(boxes)
    np.testing.assert_allclose((boxes[:, :2] + boxes[:, 2:]) / 2, [[511.5, 31.5]] * len(boxes), atol=12)


def test_sizes(tmp_path: Path) -> None:
    free, fixed = write_scrfd(tmp_path / "scrfd.onnx"), write_yunet(tmp_path / "yunet.onnx")
    assert ThirdPartyDetector(free).size == 640
    assert ThirdPartyDetector(free, 320).input_size(1280, 500) == (320, 128)
    assert ThirdPartyDetector(free, 320).input_size(20, 10) == (64, 32)
    assert ThirdPartyDetector(fixed, 64).size == 64
    with pytest.raises(ConfigError, match="fixed input of 64x64 px: leave --detector_size out"):
        ThirdPartyDetector(fixed, 320)
    with pytest.raises(ConfigError, match="size 100 must be a multiple of 32"):
        ThirdPartyDetector(free, 100)
    with pytest.raises(ConfigError, match="suppression"):
        ThirdPartyDetector(free, suppression="none")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"min_score 2 must be in \[0, 1\]"):
        ThirdPartyDetector(free, min_score=2)


def test_fitted_photos_keep_their_aspect_ratio() -> None:
    image, scale = fitted(np.full((100, 400, 3), 200, np.uint8), 320, 240)
    assert (scale, image.shape) == (0.8, (240, 320, 3))
    assert (image[:80] == 200).all()
    assert (image[80:] == 0).all()
    assert fitted(np.zeros((10, 10, 3), np.uint8), 320, 240).scale == 2


def test_suppression_leaves_the_better_of_two_anchors(tmp_path: Path) -> None:
    path = write_scrfd(tmp_path / "scrfd.onnx")
    for suppression in ("hard", "soft"):
        assert len(ThirdPartyDetector(path, 64, suppression=suppression).find(white_cell(64, 64, 1, 1)).boxes) == 1


def test_a_box_of_wider_face_becomes_the_tight_one() -> None:
    points = render_face(0, 0, 128, 0.2).landmarks["ibug68"]
    tight = np.array([*points.min(axis=0), *points.max(axis=0)])
    found = Candidates(wider_box(points)[None].astype(np.float64), np.ones(1), POINTLESS)
    np.testing.assert_allclose(landmark_boxes(found, None)[0], tight, atol=1e-3)


def test_a_calibration_takes_the_place_of_the_convention(tmp_path: Path) -> None:
    """Also of a detector without points: the boxes wanted are half as large."""
    rng = np.random.default_rng(0)
    centres, sizes = rng.uniform(50, 100, (40, 2)), rng.uniform(20, 40, (40, 1)) * rng.uniform(0.8, 1.2, (40, 2))
    own = Candidates(np.hstack([centres - sizes, centres + sizes]), np.ones(40), np.zeros((40, 0, 2)))
    tight = np.hstack([centres - sizes / 2, centres + sizes / 2])
    table = fit_table(own.boxes, calibration_points(own), tight, ridge=1e-9)
    np.testing.assert_allclose(landmark_boxes(own, table), tight, atol=0.1)
    path = write_yunet(tmp_path / "yunet.onnx")
    write_third_party_spec(path, ThirdPartySpec(0.25, tuple(map(tuple, table.tolist()))))
    detector = ThirdPartyDetector(path)
    assert detector.min_score == 0.25
    assert ThirdPartyDetector(path, min_score=0.5).min_score == 0.5
    (face,) = detector(white_cell(64, 64, 2, 3))
    assert face.box.width == pytest.approx(12, rel=0.05)


@pytest.mark.skipif("YUNET" not in os.environ, reason="no YuNet file; set YUNET to face_detection_yunet_2023mar.onnx")
def test_the_published_yunet_finds_the_face_of_a_photo(real_data: Path) -> None:
    photo = cv2.imread(str(real_data / "free_photos" / "photos" / "astronaut.jpg"))[..., ::-1]
    best = ThirdPartyDetector(os.environ["YUNET"])(np.ascontiguousarray(photo))[0]
    assert best.score > 0.9
    assert best.box.centre == pytest.approx((224, 120), abs=20)
