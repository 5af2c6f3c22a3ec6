"""A detected box gives the crop that training saw, whatever points the true boxes are tight around."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.data.detector_boxes import detected_crop, with_detector_boxes
from distill.data.records import FaceRecord, make_record
from distill.detection.detector import Detection, FaceDetector
from distill.geometry import Box, CropSpec, box_of_points
from distill.images import Photo

CROP = CropSpec(128, 1.2, 0.1)


@pytest.fixture
def records(tmp_path: Path) -> list[FaceRecord]:
    """Faces of several sizes and places; the photo's grey says which."""
    rng, made = np.random.default_rng(0), []
    for index in range(24):
        path = tmp_path / f"{index}.png"
        Image.fromarray(np.full((200, 200, 3), 10 * index, np.uint8)).save(path)
        points = rng.uniform(60, 140, 2) + rng.uniform(-1, 1, (51, 2)) * rng.uniform(15, 30)
        made.append(make_record(name=path.stem, image=path, landmarks=points, scheme="inner51", source=path))
    return made


def whole_face(records: list[FaceRecord], photo: Photo) -> Detection:
    """A box twice as large as the true one, its centre a fifth of its own side above."""
    true = records[int(photo[0, 0, 0]) // 10].boxes["gt"]
    side, (x, y) = 2 * max(true.width, true.height), true.centre
    return Detection(Box(x - side / 2, y - 0.7 * side, x + side / 2, y + 0.3 * side), 0.9)


def test_a_detected_box_gives_the_crop_of_the_true_one(records: list[FaceRecord]) -> None:
    elsewhere = Detection(Box(-500, -500, -400, -400), 1.0)
    found = detected_crop(records, CROP, "gt", lambda photo: [elsewhere, whole_face(records, photo)])
    assert (found.found, found.searched) == (24, 24)
    assert found.crop is not None
    for record in records:
        box = whole_face(records, np.full((1, 1, 3), 10 * int(record.name), np.uint8)).box
        ours, wanted = found.crop.side_and_centre(box), CROP.side_and_centre(record.boxes["gt"])
        assert ours == pytest.approx(wanted, abs=0.02)
    assert found.offset < 1e-3


def test_the_offset_of_detected_boxes_is_measured(records: list[FaceRecord]) -> None:
    def beside(photo: Photo) -> list[Detection]:
        index = int(photo[0, 0, 0]) // 10
        (box, score, *_), (dx, dy) = whole_face(records, photo), ((0.3, 0.4), (-0.3, -0.4))[index % 2]
        side = CROP.side_and_centre(records[index].boxes["gt"])[0]
        dx, dy = 0.2 * dx * side, 0.2 * dy * side  # a tenth of the crop to the one side or the other
        return [Detection(Box(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy), score)]

    assert detected_crop(records, CROP, "gt", beside).offset == pytest.approx(0.1, abs=0.02)


def test_too_few_found_faces_tell_nothing(records: list[FaceRecord]) -> None:
    def some(photo: Photo) -> list[Detection]:
        return [whole_face(records, photo)] if photo[0, 0, 0] < 110 else []

    assert detected_crop(records, CROP, "gt", some)[:3] == (None, 11, 24)
    assert detected_crop(records[:9], CROP, "gt", some)[:3] == (None, 9, 9)
    assert detected_crop(records, CROP, "dataset", some)[:3] == (None, 0, 0)


def test_who_is_found_has_the_detectors_box_beside_its_own(records: list[FaceRecord]) -> None:
    def every_other(photo: Photo) -> list[Detection]:
        return [whole_face(records, photo)] if photo[0, 0, 0] % 20 == 0 else []

    faces = with_detector_boxes(records, every_other)
    assert faces[1::2] == records[1::2]
    for face, record in zip(faces[::2], records[::2], strict=True):
        assert face.boxes["gt"] == record.boxes["gt"]
        assert face.boxes["detector"].width == pytest.approx(
            2 * max(record.boxes["gt"].width, record.boxes["gt"].height)
        )
    assert with_detector_boxes(records, every_other, source="dataset") == records
    # What is found already is not looked for again: neither detector nor photos are read.
    assert with_detector_boxes(faces[::2], lambda _: pytest.fail("detected again")) == faces[::2]


def test_a_photo_of_several_faces_is_searched_once(records: list[FaceRecord]) -> None:
    first, apart = records[0], Box(500, 500, 540, 540)
    second = replace(records[1], image=first.image, boxes={"gt": apart})
    calls: list[int] = []

    def both(photo: Photo) -> list[Detection]:
        calls.append(1)
        return [Detection(face.boxes["gt"], 0.9) for face in (second, first)]

    assert [face.boxes["detector"] for face in with_detector_boxes([first, second], both)] == [first.boxes["gt"], apart]
    assert len(calls) == 1


def test_on_real_faces_the_box_of_51_points_is_that_of_a_whole_face_after_the_fit(real_300w: Path) -> None:
    from distill.data.readers import read_faces

    faces = read_faces("300w", real_300w, ("lfpw/trainset",))[::10]
    inner = [face.in_scheme("inner51") for face in faces]
    tight = [
        make_record(name=f.name, image=f.image, landmarks=f.landmarks, scheme=f.scheme, source=f.image) for f in inner
    ]
    assert all(face.boxes["gt"] == box_of_points(face.landmarks) for face in tight)
    crop, detector = CropSpec(128, 1.1, -0.1), FaceDetector()
    whole, middle = (detected_crop(some, crop, "gt", detector).crop for some in (faces, tight))
    assert whole is not None
    assert middle is not None
    # What the detector gives is the box of 68 points; that of the 51 inside is a fifth smaller.
    assert whole.scale == pytest.approx(crop.scale, rel=0.05)
    assert middle.scale < 0.85 * whole.scale
