from pathlib import Path

import numpy as np
import pytest

from distill.data.crops import face_crops
from distill.errors import ConfigError
from distill.export.calibration import calibrate_on
from distill.export.config import CalibrationConfig
from distill.spec import ModelSpec


def test_seed_and_hash_name_the_faces(spec: ModelSpec) -> None:
    first = calibrate_on(spec, CalibrationConfig(faces=2))
    again = calibrate_on(spec, CalibrationConfig(faces=2))
    other = calibrate_on(spec, CalibrationConfig(faces=2, seed=1))
    assert first.crops.shape == (2, 64, 64, 3)
    assert first.data_hash == again.data_hash != other.data_hash
    assert 0 <= first.crops.min() < first.crops.max() <= 1


def test_generated_faces_are_none_of_those_that_formats_are_compared_on(spec: ModelSpec) -> None:
    compared, _ = face_crops(spec, 3)
    calibrate_on(spec, CalibrationConfig(faces=3)).require_apart(compared)


def test_half_a_data_set_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--calibration\.format and --calibration\.root go together"):
        CalibrationConfig(format="300w")


def test_real_faces_are_cut_out_as_the_model_wants_them(spec: ModelSpec, real_data: Path) -> None:
    config = CalibrationConfig("300w", real_data / "300W", "lfpw/trainset", faces=4)
    crops = calibrate_on(spec, config).crops
    tested, _ = face_crops(spec, 4, "300w", real_data / "300W", "lfpw/trainset")
    assert crops.shape == tested.shape
    assert len({crop.tobytes() for crop in crops}) == 4
    assert abs(float(np.mean(crops)) - float(np.mean(tested))) < 0.2
