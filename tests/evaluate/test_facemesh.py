"""MediaPipe's net as a peer: its points are where a face's points are."""

from pathlib import Path

import numpy as np
import pytest

from distill.data.synthetic import write_faces
from distill.errors import ConfigError
from distill.evaluate.evaluate import UNCHANGED, measure
from distill.evaluate.facemesh import tuned
from distill.evaluate.faces import load_faces
from distill.inference.facemesh import mediapipe_file
from distill.inference.load import open_backend

try:
    mediapipe_file("face_landmark", "face_landmark.tflite")
except ConfigError as error:
    pytest.skip(str(error), allow_module_level=True)


def test_its_points_are_near_the_truth_and_the_offset_brings_them_nearer(tmp_path: Path) -> None:
    write_faces(tmp_path, 20, seed=3, size=160, difficulty=0.2, workers=0)
    faces = load_faces("inner51", format="manifest", root=tmp_path)
    raw, fitted = tuned(faces)
    errors = {
        name: measure(predictor, faces, name, progress=False)[UNCHANGED].summary()["nme"]
        for name, predictor in (("plain", open_backend("facemesh")), ("raw", raw), ("fitted", fitted))
    }
    # Left and right, or two vertices, mixed up would be 20 % and more.
    assert errors["plain"] < 0.13
    assert errors["fitted"] < errors["raw"] <= errors["plain"]
    assert fitted.offset is not None
    assert np.abs(fitted.offset).max() < 0.1
