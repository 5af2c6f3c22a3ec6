import resource
from pathlib import Path

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.geometry import Box
from distill.images import read_image
from distill.inference.overlay import draw_faces, write_image
from distill.landmarks import load_scheme
from tests.support.errors import assert_one_line


def changed(photo: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    return (drawn != photo).any(-1)


def test_faces_are_drawn_on_a_copy_and_written_as_rgb(tmp_path: Path) -> None:
    photo = np.full((200, 300, 3), 10, np.uint8)
    box = Box(100, 60, 180, 150)
    drawn = draw_faces(photo, [(box, np.array([[140.0, 100.0]], np.float32))], labels=[""])
    assert (photo == 10).all()
    touched = changed(photo, drawn)
    assert touched[100, 140]
    assert touched[60:151, 100].all()
    assert not touched[:50].any()
    assert not touched[:, :90].any()
    write_image(tmp_path / "drawn.png", drawn)
    np.testing.assert_array_equal(read_image(tmp_path / "drawn.png"), drawn)


def test_sizes_follow_the_face_not_the_photo() -> None:
    """Catches points of one size: small faces in a large photo became blobs."""
    photo = np.zeros((1000, 1500, 3), np.uint8)
    point = np.array([[50.0, 50.0]], np.float32)
    # The middle of the face, without the box around it.
    middle = (slice(43, 58), slice(43, 58))
    small = changed(photo, draw_faces(photo, [(Box(40, 40, 60, 60), point)], labels=[""]))[middle].sum()
    large = changed(photo, draw_faces(photo, [(Box(0, 0, 800, 800), point)], labels=[""]))[middle].sum()
    assert 1 <= small < 20
    assert large > 4 * small


def test_an_uncertain_face_is_not_drawn_as_if_it_were_certain() -> None:
    scheme = load_scheme("ibug68")
    photo = np.zeros((400, 400, 3), np.uint8)
    points = np.random.default_rng(0).uniform(60, 340, (68, 2)).astype(np.float32)
    faces = [(Box(20, 20, 380, 380), points)]
    certain = draw_faces(photo, faces, scheme, [""])
    uncertain = draw_faces(photo, faces, scheme, [""], uncertain=[0])
    assert (np.ptp(certain, axis=-1) > 40).any()
    # Grey, with gaps in the box, without curves and without filled points.
    assert (np.ptp(uncertain, axis=-1) == 0).all()
    assert certain[20, 20:381].any(-1).all()
    assert 0.3 < uncertain[20, 20:381].any(-1).mean() < 0.8
    assert changed(photo, uncertain).sum() < 0.7 * changed(photo, certain).sum()


def test_curves_follow_the_scheme_and_points_that_are_not_finite_are_left_out() -> None:
    scheme = load_scheme("ibug68")
    photo = np.zeros((200, 200, 3), np.uint8)
    points = np.random.default_rng(0).uniform(20, 180, (68, 2)).astype(np.float32)
    box = Box(20, 20, 180, 180)
    with_curves = changed(photo, draw_faces(photo, [(box, points)], scheme)).sum()
    assert with_curves > changed(photo, draw_faces(photo, [(box, points)])).sum()
    points[3] = np.nan
    assert not draw_faces(photo, [(box, points)], scheme).any()


def test_a_full_disk_is_one_line_with_the_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(ConfigError, match=r"a.png: cannot be written \(File too large\)") as caught:
            write_image(tmp_path / "a.png", noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_one_line(caught)
    assert not list(tmp_path.iterdir())
