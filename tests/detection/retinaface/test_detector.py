"""Photos to faces: views, tiles, and positions that come back to the photo."""

from pathlib import Path

import numpy as np
import pytest

from distill.detection.retinaface import detector as module
from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.retinaface.priors import AnchorConfig
from distill.detection.retinaface.sidecar import DetectorFileSpec, write_detector_sidecar
from distill.errors import ConfigError
from distill.images import Photo


class BrightCells:
    """Stands for the network: every bright cell of stride 8 gets a score of nearly 1 for its prior of 24 px."""

    sides: list[tuple[int, int]] = []  # noqa: RUF012

    def __init__(self, path: Path, threads: int, side: int | None) -> None:
        BrightCells.sides = []

    def __call__(self, image: Photo) -> list[np.ndarray]:
        height, width = image.shape[:2]
        BrightCells.sides.append((width, height))
        maps = []
        for stride in AnchorConfig().strides:
            rows, columns = height // stride, width // stride
            maps += [np.zeros((1, rows, columns, 3 * values), np.float32) for values in (1, 4, 10)]
            maps[-3] -= 20
        cells = image[: height // 8 * 8, : width // 8 * 8, 0].reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
        maps[0][0, :, :, 2] = np.where(cells > 200, 5.0, -20.0)
        return maps


@pytest.fixture
def finder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RetinaFaceDetector:
    model = tmp_path / "net.tflite"
    model.write_bytes(b"weights")
    write_detector_sidecar(model, DetectorFileSpec(size=320))
    monkeypatch.setattr(module, "NetFile", BrightCells)
    monkeypatch.setattr(module, "refined", lambda photo, found, net, anchors: found)
    return RetinaFaceDetector(model)


def photo_with(width: int, height: int, *centres: tuple[int, int]) -> Photo:
    photo = np.zeros((height, width, 3), np.uint8)
    for x, y in centres:
        photo[y - 4 : y + 4, x - 4 : x + 4] = 255
    return photo


def test_a_face_is_where_it_is_in_the_photo(finder: RetinaFaceDetector) -> None:
    (face,) = finder(photo_with(320, 200, (100, 60)))
    assert face.box.centre == pytest.approx((99.5, 59.5))
    assert face.box.width == pytest.approx(24, abs=1e-6)
    assert face.points is not None
    assert face.points.shape == (5, 2)
    assert BrightCells.sides == [(320, 224)]


def test_a_photo_without_a_face_is_searched_again_in_a_small_input(finder: RetinaFaceDetector) -> None:
    assert finder(photo_with(320, 200)) == []
    assert BrightCells.sides == [(320, 224), (160, 128)]


@pytest.mark.parametrize(("side", "least"), [(80.0, None), (170.0, 272.0)])
def test_beside_a_large_face_only_faces_that_fill_the_photo_are_added(
    finder: RetinaFaceDetector, side: float, least: float | None
) -> None:
    box = np.array([[10.0, 10.0, 10.0 + side, 60.0]])
    found = Candidates(box, np.ones(1), np.zeros((1, 5, 2)))
    assert finder.second_search(((0, 0, 320, 200), 320), found) == least
    assert finder.second_search(((0, 0, 320, 200), 320), found._replace(scores=np.zeros(1))) == 0.0


def test_wide_photos_are_searched_in_tiles(finder: RetinaFaceDetector) -> None:
    """Scaled to 320 px the faces of a panorama have 2 px."""
    centres = [(104, 80), (1000, 60), (2300, 88)]
    faces = finder(photo_with(2400, 160, *centres))
    assert {round(face.box.centre[0] / 100) for face in faces} == {1, 10, 23}
    assert (320, 320) in BrightCells.sides


def test_large_photos_are_tiled_and_ordinary_ones_not(finder: RetinaFaceDetector) -> None:
    assert list(finder.tiles(1000, 600)) == []
    assert max(right for _, _, right, _ in finder.tiles(1400, 1000)) == 1400


def test_small_photos_are_enlarged_twice_at_most(finder: RetinaFaceDetector) -> None:
    assert finder.input_size((0, 0, 100, 50)) == 224
    assert finder.input_size((0, 0, 640, 480)) == 320
    assert finder(np.zeros((1, 1, 3), np.uint8)) == []


@pytest.mark.parametrize("size", [(5000, 1), (8000, 12), (3, 2000), (1, 1)])
def test_a_photo_of_a_few_rows_or_columns_is_searched(finder: RetinaFaceDetector, size: tuple[int, int]) -> None:
    """At the size of the search it has less than one, for which the network was resized to a side of 0 px."""
    assert finder(photo_with(*size)) == []
    assert all(side > 0 for sides in BrightCells.sides for side in sides)


def test_options_out_of_range_are_refused(finder: RetinaFaceDetector, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="multiple of 32"):
        RetinaFaceDetector(tmp_path / "net.tflite", size=300)
    with pytest.raises(ConfigError, match="min_score"):
        RetinaFaceDetector(tmp_path / "net.tflite", min_score=2)
    with pytest.raises(ConfigError, match="suppression 'none': give one of hard, soft"):
        RetinaFaceDetector(tmp_path / "net.tflite", suppression="none")  # type: ignore[arg-type]


def test_soft_suppression_keeps_faces_that_overlap(finder: RetinaFaceDetector, tmp_path: Path) -> None:
    """Boxes of 24 px, 8 px apart, overlap by half: the weaker one's score is halved, once and not by each pass."""
    photo = photo_with(320, 200, (100, 60), (108, 60))
    assert len(finder(photo)) == 1
    soft = RetinaFaceDetector(tmp_path / "net.tflite", min_score=0.3, suppression="soft")
    best, other = soft(photo)
    assert other.score == pytest.approx(best.score / 2)
    np.testing.assert_array_equal(soft.own_boxes(photo)[1], [best.score, other.score])
    assert len(RetinaFaceDetector(tmp_path / "net.tflite", suppression="soft")(photo)) == 1


def test_boxes_that_the_refinement_moves_onto_each_other_are_one_face(
    finder: RetinaFaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large, blurred face has several boxes that hardly overlap before they are refined."""
    photo = photo_with(320, 200, (60, 60), (100, 60), (260, 60))
    assert len(finder.find(photo).boxes) == 3

    def moved(photo: Photo, found: Candidates, net: object, anchors: object) -> Candidates:
        boxes = found.boxes.copy()
        boxes[boxes[:, 0] < 150] = (50, 30, 110, 90)
        return Candidates(boxes, found.scores, found.points)

    monkeypatch.setattr(module, "refined", moved)
    assert sorted(round(face.box.centre[0]) for face in finder(photo)) == [80, 260]
