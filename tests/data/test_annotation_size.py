"""The size of the photo that an annotation states is compared with the photo, in every format that states it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.data.annotation_size import fit_to_photo, positive_size
from distill.data.readers import FORMATS, read_faces
from distill.data.readers.aflw import AflwFace
from distill.data.readers.csv_points import CsvFace
from distill.data.readers.dlib_xml import XmlFace, XmlImage
from distill.data.readers.manifest import FILE_NAME
from distill.data.records import make_record
from distill.errors import AnnotationError
from distill.geometry import Box
from distill.landmarks import load_scheme
from tests.support.annotation_writers import format_coco, format_csv_faces, format_dlib_xml, write_aflw

STORED = (120, 90)
# Where stored pixels are shown under orientation 6, a quarter turn clockwise.
SHOWN = (90, 120)
SCHEMES = {"aflw": "aflw21", "coco": "cofw29", "csv": "cofw29", "dlib": "ibug68", "manifest": "cofw29"}


def _points(scheme: str) -> np.ndarray:
    k = load_scheme(scheme).n_points
    return np.random.default_rng(0).uniform(0.2, 0.8, (k, 2)) * STORED


def _turned(points: np.ndarray) -> np.ndarray:
    return np.stack([STORED[1] - 1 - points[:, 1], points[:, 0]], axis=1)


def _write_photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", STORED, (90, 120, 150)).save(path, exif=exif.tobytes())
    return path


def _write(name: str, root: Path, stated: tuple[int, int]) -> None:
    """One face of one photo, in stored pixels, in a data set that states this size."""
    points = _points(SCHEMES[name])
    photo = _write_photo(root / ("flickr/0/a.jpg" if name == "aflw" else "a.jpg"))
    record = make_record(name="a", image=photo, landmarks=points, scheme=SCHEMES[name], source=root)
    if name == "aflw":
        write_aflw(root / "aflw.sqlite", [AflwFace(1, "0/a.jpg", stated, points, None, {})])
    elif name == "coco":
        (root / "a.json").write_text(format_coco([record], root, [stated]))
    elif name == "dlib":
        face = XmlFace((20.0, 20.0, 60.0, 40.0), {i: (x, y) for i, (x, y) in enumerate(points.tolist())})
        (root / "a.xml").write_bytes(format_dlib_xml([XmlImage("a.jpg", (face,), stated)]))
    elif name == "csv":
        text = format_csv_faces([CsvFace("a.jpg", points, np.ones(len(points), bool))])
        rows = list(csv.reader(text.splitlines()))
        sizes = [["width", "height"], [str(side) for side in stated]]
        (root / "a.csv").write_text("".join(",".join(row + size) + "\n" for row, size in zip(rows, sizes, strict=True)))
    else:
        points_text = points.tolist()
        (root / FILE_NAME).write_text(
            f'{{"format": "distill-faces/1", "faces": [{{"name": "a", "image": "a.jpg", "size": {list(stated)},'
            f' "points": {{"cofw29": {points_text}}}}}]}}'
        )


@pytest.mark.parametrize("name", SCHEMES)
def test_points_in_stored_pixels_are_turned_with_the_photo(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The annotation tool ignored EXIF: without the comparison, points lie up to a photo's width off.
    _write(name, tmp_path, STORED)
    (record,) = read_faces(name, tmp_path)
    np.testing.assert_allclose(record.landmarks, _turned(_points(SCHEMES[name])), atol=1e-4)
    assert "1 of 1 faces are annotated in the stored pixels" in caplog.text
    if name == "dlib":
        # Pixels 20 to 79 across and 20 to 59 down, a quarter turn clockwise.
        assert record.boxes["dataset"] == Box(29.5, 19.5, 69.5, 79.5)


@pytest.mark.parametrize("name", SCHEMES)
def test_points_in_pixels_of_the_shown_photo_stay(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _write(name, tmp_path, SHOWN)
    (record,) = read_faces(name, tmp_path) if name != "dlib" else FORMATS[name](tmp_path)
    np.testing.assert_allclose(record.landmarks, _points(SCHEMES[name]), atol=1e-4)
    assert not caplog.text


@pytest.mark.parametrize("name", SCHEMES)
def test_a_photo_of_another_size_is_refused(name: str, tmp_path: Path) -> None:
    _write(name, tmp_path, (240, 180))
    with pytest.raises(AnnotationError, match=r"annotated in a photo of 240x180 pixels, but a\.jpg has 90x120"):
        read_faces(name, tmp_path)


def test_boxes_are_turned_by_their_corners(tmp_path: Path) -> None:
    photo = _write_photo(tmp_path / "a.jpg")
    fitted = fit_to_photo(None, {"dataset": Box(10, 20, 50, 40)}, STORED, photo, tmp_path)
    assert fitted.points is None
    assert fitted.boxes["dataset"] == Box(49, 10, 69, 50)


@pytest.mark.parametrize("sides", [(None, 3), (0, 5), (-1, 5), ("4", 5), (True, 5)])
def test_what_is_no_size_is_not_compared(sides: tuple[object, object]) -> None:
    assert positive_size(*sides) is None
