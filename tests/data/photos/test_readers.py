"""Readers of photos with boxes: WIDER FACE's three layouts, Pascal VOC and COCO give the same faces."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from distill.data.photos.box_files import read_coco_boxes, read_voc
from distill.data.photos.records import PhotoRecord
from distill.data.photos.wider_boxes import read_label, read_official_mat, read_official_text
from distill.errors import AnnotationError
from tests.support.photo_sets import write_photo
from tests.support.wider_files import cells

NAME = "0--Parade/a.jpg"
BOXES = [[10, 20, 30, 40], [5, 6, 4, 3]]
EXPECTED = [[9.5, 19.5, 39.5, 59.5], [4.5, 5.5, 8.5, 8.5]]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_photo(tmp_path / "images" / NAME, np.zeros((80, 100, 3), np.uint8))
    return tmp_path / "images"


def label(root: Path, images: Path) -> list[PhotoRecord]:
    path = root / "label.txt"
    path.write_text(f"# {NAME}\n10 20 30 40\n5 6 4 3\n1 1 0 5\n")
    return read_label(path, images)


def official_text(root: Path, images: Path) -> list[PhotoRecord]:
    path = root / "gt.txt"
    path.write_text(f"{NAME}\n3\n10 20 30 40 0 0 0 0 0 0\n5 6 4 3 2 0 0 1 0 0\n1 1 0 5 0 0 0 0 0 0\n")
    return read_official_text(path, images)


def official_mat(root: Path, images: Path) -> list[PhotoRecord]:
    boxes, flags = np.array([*BOXES, [1, 1, 0, 5]], float), np.array([[0], [1], [0]])
    content = {"event_list": cells("0--Parade"), "file_list": cells(cells("a")),
               "face_bbx_list": cells(cells(boxes)), "invalid_label_list": cells(cells(flags))}  # fmt: skip
    savemat(root / "gt.mat", content)
    return read_official_mat(root / "gt.mat", images)


def voc(root: Path, images: Path) -> list[PhotoRecord]:
    objects = "".join(
        f"<object><name>face</name><difficult>{flag}</difficult><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
        f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
        for (x, y, w, h), flag in zip(BOXES, (0, 1), strict=True)
    )
    (root / "voc").mkdir()
    (root / "voc/a.xml").write_text(f"<annotation><filename>{NAME}</filename>{objects}</annotation>")
    return read_voc(root / "voc", images)


def coco(root: Path, images: Path) -> list[PhotoRecord]:
    faces = [{"image_id": 1, "bbox": box, "iscrowd": crowd} for box, crowd in zip(BOXES, (0, 1), strict=True)]
    (root / "coco.json").write_text(json.dumps({"images": [{"id": 1, "file_name": NAME}], "annotations": faces}))
    return read_coco_boxes(root / "coco.json", images)


@pytest.mark.parametrize(
    ("read", "ignored"),
    [
        (label, [False, False]),
        (official_text, [False, True]),
        (official_mat, [False, True]),
        (voc, [False, True]),
        (coco, [False, True]),
    ],
)
def test_the_same_faces_in_every_layout(
    read: Callable[[Path, Path], list[PhotoRecord]], ignored: list[bool], tmp_path: Path, images: Path
) -> None:
    (photo,) = read(tmp_path, images)
    assert (photo.name, photo.image) == (NAME, images / NAME)
    assert photo.boxes.tolist() == EXPECTED
    assert photo.ignored.tolist() == ignored
    assert np.isnan(photo.points).all()


def test_points_of_retinaface(tmp_path: Path, images: Path) -> None:
    points = " ".join(f"{x} {x + 1} 0.0" for x in (1, 2, 3, 4, 5))
    (tmp_path / "label.txt").write_text(f"# {NAME}\n10 20 30 40 {points} 0.8\n5 6 4 3 {'-1 ' * 15}0.1\n")
    (photo,) = read_label(tmp_path / "label.txt", images)
    assert photo.points[0].tolist() == [[1, 2], [2, 3], [3, 4], [4, 5], [5, 6]]
    assert np.isnan(photo.points[1]).all()


def test_a_photo_without_faces(tmp_path: Path, images: Path) -> None:
    (tmp_path / "gt.txt").write_text(f"{NAME}\n0\n0 0 0 0 0 0 0 0 0 0\n")
    (photo,) = read_official_text(tmp_path / "gt.txt", images)
    assert photo.boxes.shape == (0, 4)


@pytest.mark.parametrize("text", [f"{NAME}\n", f"{NAME}\n2\n1 2 3 4 0 0 0 0 0 0\n", f"{NAME}\n1\n1 2 3\n"])
def test_a_broken_official_text(text: str, tmp_path: Path, images: Path) -> None:
    (tmp_path / "gt.txt").write_text(text)
    with pytest.raises(AnnotationError, match=r"gt\.txt"):
        read_official_text(tmp_path / "gt.txt", images)


@pytest.mark.parametrize("read", [read_official_mat, read_coco_boxes])
def test_another_kind_of_file(read: Callable[[Path, Path], list[PhotoRecord]], tmp_path: Path, images: Path) -> None:
    (tmp_path / "file").write_text("no labels")
    with pytest.raises(AnnotationError, match="not a"):
        read(tmp_path / "file", images)
