"""A photo that is trained on is recognised under any name and in any folder."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.data.records import FaceRecord, make_record
from distill.data.trained_photos import photo_fingerprints, require_disjoint, trained_on
from distill.errors import ConfigError


def _face(path: Path, seed: int) -> FaceRecord:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "BMP")
    return _record(path)


def _record(path: Path) -> FaceRecord:
    points = np.random.default_rng(0).uniform(2, 18, (5, 2))
    return make_record(name=path.stem, image=path, landmarks=points, scheme="five", source=path)


def test_a_copy_is_found_under_another_name(tmp_path: Path) -> None:
    train = [_face(tmp_path / "train" / f"{index}.bmp", index) for index in range(4)]
    copy = _record(Path(shutil.copy(train[2].image, tmp_path / "copy.bmp")))
    other = _face(tmp_path / "other.bmp", 9)
    marks = photo_fingerprints(train)
    assert [face.name for face in trained_on([other, copy], marks)] == ["copy"]
    assert trained_on([other, copy], "") == []
    assert photo_fingerprints(train[::-1] + train) == marks


def test_training_faces_may_not_be_tested_on(tmp_path: Path) -> None:
    train = [_face(tmp_path / f"{index}.bmp", index) for index in range(3)]
    require_disjoint(train, [_face(tmp_path / "test.bmp", 9)], "test faces")
    with pytest.raises(ConfigError, match=r"test faces are trained on: .*1\.bmp"):
        require_disjoint(train, [train[1]], "test faces")
    copy = _record(Path(shutil.copy(train[2].image, tmp_path / "copy.bmp")))
    with pytest.raises(ConfigError, match=r"test faces are trained on: .*copy\.bmp is the photo of .*2\.bmp"):
        require_disjoint(train, [copy], "test faces")
