"""The crop holds every landmark of the training faces, and a crop that cuts some off is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.data.augment import AugmentConfig, sample_affine
from distill.data.config import CropConfig
from distill.data.crop_extent import INSIDE, resolve_crop
from distill.data.records import FaceRecord, make_record
from distill.errors import ConfigError
from distill.geometry import apply_affine

# Eye centres, nose and mouth corners in a box of their own, with a chin far below: the example of first users.
CHIN = """name: chin
title: eyes, nose and chin
n_points: 4
flip: [[0, 1]]
groups: {eyes: 0-1, nose: [2], chin: [3]}
edges: []
"""
SHAPE = np.array([[-0.35, -0.5], [0.35, -0.5], [0.0, -0.1], [0.0, 0.5]])


@pytest.fixture
def scheme(tmp_path: Path) -> str:
    path = tmp_path / "chin.yaml"
    path.write_text(CHIN)
    return str(path)


def _faces(scheme: str, count: int = 200) -> list[FaceRecord]:
    rng = np.random.default_rng(0)
    faces = []
    for index in range(count):
        points = 200 + (SHAPE + rng.normal(0, 0.02, SHAPE.shape)) * rng.uniform(50, 90)
        faces.append(
            make_record(name=str(index), image=Path("a.jpg"), landmarks=points, scheme=scheme, source=Path("a"))
        )
    return faces


def _share_inside(crop: CropConfig, faces: list[FaceRecord], augment: AugmentConfig) -> float:
    """Measured through the augmentation that training uses, with other random numbers than the fit."""
    spec = crop.spec()
    rng = np.random.default_rng(123)
    inside = []
    for face in faces:
        for _ in range(40):
            affine, _ = sample_affine(face.boxes["gt"], spec, augment, rng)
            points = apply_affine(affine, face.landmarks)
            inside.append(bool(((points >= -0.5) & (points <= spec.size - 0.5)).all()))
    return float(np.mean(inside))


@pytest.mark.parametrize("augment", [AugmentConfig(), AugmentConfig(rotate=30, scale=0.3, shift=0.05)], ids=str)
def test_the_chosen_crop_holds_every_landmark_after_augmentation(scheme: str, augment: AugmentConfig) -> None:
    faces = _faces(scheme)
    crop = resolve_crop(CropConfig(128), faces, scheme, ["gt"], augment, lambda line: None)
    assert _share_inside(crop, faces, augment) >= INSIDE - 0.001
    smaller = replace(crop, scale=0.9 * (crop.scale or 0))
    assert _share_inside(smaller, faces, augment) < INSIDE


def test_without_augmentation_the_crop_is_the_box(scheme: str) -> None:
    crop = resolve_crop(CropConfig(128), _faces(scheme), scheme, ["gt"], AugmentConfig.none(), lambda line: None)
    assert (crop.scale, crop.shift_y) == (pytest.approx(1.0, abs=0.011), 0.0)


def test_one_line_says_what_the_crop_holds(scheme: str) -> None:
    lines: list[str] = []
    crop = resolve_crop(CropConfig(128), _faces(scheme), scheme, ["gt"], AugmentConfig(), lines.append)
    (line,) = lines
    assert f"scale {crop.scale:g}, shift_y {crop.shift_y:g} of the gt box" in line
    assert "every landmark of 99.9 % of 200 faces after augmentation" in line or "100.0 %" in line


def test_a_crop_that_cuts_points_off_is_refused_with_the_one_that_holds_them(scheme: str) -> None:
    faces = _faces(scheme)
    with pytest.raises(ConfigError, match=r"cuts points off in 100\.0 % .*: 3 \(chin, 100 %\); use scale") as caught:
        resolve_crop(CropConfig(128, 1.1, -0.1), faces, scheme, ["gt"], AugmentConfig(), print)
    words = str(caught.value).replace(",", "").split()
    scale, shift = (float(words[words.index(name, words.index("use")) + 1]) for name in ("scale", "shift_y"))
    advised = resolve_crop(CropConfig(128, scale, shift), faces, scheme, ["gt"], AugmentConfig(), lambda line: None)
    assert _share_inside(advised, faces, AugmentConfig()) >= INSIDE - 0.001


def test_an_explicit_value_stays_and_the_other_is_fitted(scheme: str) -> None:
    crop = resolve_crop(CropConfig(128, None, 0.1), _faces(scheme), scheme, ["gt"], AugmentConfig(), lambda line: None)
    assert crop.shift_y == 0.1
    centred = resolve_crop(
        CropConfig(128, None, 0.0), _faces(scheme), scheme, ["gt"], AugmentConfig(), lambda line: None
    )
    assert (crop.scale or 0) > (centred.scale or 0)


def test_the_crop_of_a_preset_is_taken_where_it_holds_the_faces_and_refused_nowhere(scheme: str) -> None:
    """Nobody typed it, so it is no error where some faces need another."""
    faces, lines = _faces(scheme), list[str]()
    fitted = resolve_crop(CropConfig(128), faces, scheme, ["gt"], AugmentConfig(), lambda line: None)
    roomy, tight = {"scale": 3.0, "shift_y": 0.0}, {"scale": 1.1, "shift_y": -0.1}
    for usual, boxes, expected in (
        (roomy, ["gt"], (3.0, 0.0)),
        (tight, ["gt"], (fitted.scale, fitted.shift_y)),
        (None, ["gt"], (fitted.scale, fitted.shift_y)),
    ):
        crop = resolve_crop(CropConfig(128), faces, scheme, boxes, AugmentConfig(), lines.append, usual)
        assert (crop.scale, crop.shift_y) == expected
    assert [line.partition(":")[0] for line in lines] == [
        "Crop (of the data set's preset)", "Crop (from the training faces)", "Crop (from the training faces)",
    ]  # fmt: skip
    detected = [replace(face, boxes={"dataset": face.boxes["gt"]}) for face in faces]
    crop = resolve_crop(CropConfig(128), detected, scheme, ["dataset"], AugmentConfig(), lambda line: None, roomy)
    assert (crop.scale, crop.shift_y) == (fitted.scale, fitted.shift_y), "it is a crop of true boxes"
    given = resolve_crop(CropConfig(128, 2.5), faces, scheme, ["gt"], AugmentConfig(), lambda line: None, roomy)
    assert given.scale == 2.5


def test_points_that_are_not_annotated_need_no_room(scheme: str) -> None:
    faces = [replace(face, known=np.array([True, True, True, False])) for face in _faces(scheme)]
    crop = resolve_crop(CropConfig(128, 1.1, -0.1), faces, scheme, ["gt"], AugmentConfig.none(), lambda line: None)
    assert (crop.scale, crop.shift_y) == (1.1, -0.1)
