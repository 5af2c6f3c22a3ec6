"""What exported landmark files say about themselves."""

from pathlib import Path

import numpy as np

from distill.export.tflite_metadata import point_names, with_landmark_metadata
from distill.landmarks import load_scheme
from distill.pretrained.resources import CHECKPOINTS
from distill.spec import read_sidecar
from distill.tflite.interpreter import TFLiteNet
from distill.tflite.metadata import NAME, read_metadata, sentences
from distill.tflite.outputs import landmarks_only
from distill.tflite.serialization import read_model

FILE = CHECKPOINTS / "student_68_128_fp16.tflite"


def test_every_point_has_a_name_of_its_own() -> None:
    names = point_names(load_scheme("ibug68"))
    assert len(set(names)) == 68
    assert names[0] == "jaw_0"
    assert names[-1].startswith("mouth")


def test_crop_scheme_and_licence_are_stated_and_the_outputs_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(with_landmark_metadata(FILE.read_bytes(), read_sidecar(FILE), "student", "Apache-2.0"))
    found = read_metadata(read_model(path).metadata)
    assert found is not None
    text = "\n".join(sentences(found))
    for part in ("68 facial landmarks", "ibug68", "Apache-2.0", "1.25 times", "output confidence"):
        assert part in text
    crop = np.random.default_rng(0).random((1, 128, 128, 3), np.float32)
    for after, before in zip(TFLiteNet(path)(crop), TFLiteNet(FILE)(crop), strict=True):
        np.testing.assert_array_equal(after, before)
    assert NAME not in read_model(landmarks_only(path.read_bytes())).metadata  # it describes the confidence as well
