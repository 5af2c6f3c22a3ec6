"""Boxes of landmarked faces in WIDER FACE's convention."""

from pathlib import Path

import numpy as np
import pytest

from distill.data.photos.config import PasteSetConfig
from distill.data.photos.paste_faces import FOREHEAD, BoxFromPoints, read_paste_faces, wider_box
from distill.errors import AnnotationError
from tests.support.photo_sets import write_pts_faces


def test_the_box_reaches_up_to_the_forehead() -> None:
    points = np.array([[10.0, 20.0], [50.0, 120.0]])
    assert np.allclose(wider_box(points), [10, 20 - FOREHEAD * 100, 50, 120])


def test_boxes_from_five_points_follow_position_and_scale() -> None:
    rng = np.random.default_rng(0)
    points = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]]) + rng.normal(0, 2, (40, 5, 2))
    middle = points.mean(axis=1)
    scale = np.sqrt(((points - middle[:, None]) ** 2).sum(axis=(1, 2)))[:, None]
    boxes = np.concatenate([middle - scale * [0.6, 0.9], middle + scale * [0.6, 0.5]], axis=1)
    estimate = BoxFromPoints.fit(points, boxes)
    assert np.allclose(estimate(points * 0.25 + [100, 7]), boxes * 0.25 + [100, 7, 100, 7], atol=1e-3)


def test_faces_are_cut_out_with_their_labels(tmp_path: Path) -> None:
    write_pts_faces(tmp_path, 2)
    faces = read_paste_faces([PasteSetConfig("300w", tmp_path, "helen/trainset")])
    assert len(faces) == 2
    for face in faces:
        x0, y0, x1, y1 = face.box
        # The bright ellipse is 60 px high; its box ends with the jaw.
        assert x1 - x0 == pytest.approx(60, abs=0.1)
        middle = face.image[round((y0 + y1) / 2 + 20), round((x0 + x1) / 2)]
        assert (middle == [230, 190, 160]).all()


def test_five_points_alone_have_no_box(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_text("image,x0,y0,x1,y1,x2,y2,x3,y3,x4,y4,subset\n0.png,3,3,6,3,4,4,3,6,6,6,train\n")
    write_pts_faces(tmp_path, 1)
    (tmp_path / "helen/trainset/0.png").rename(tmp_path / "0.png")
    with pytest.raises(AnnotationError, match="jaw"):
        read_paste_faces([PasteSetConfig("csv", tmp_path)])
