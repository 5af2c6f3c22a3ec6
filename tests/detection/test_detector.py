"""Detectors by name."""

from pathlib import Path

import numpy as np
import pytest

from distill.data.synthetic.render import render_face
from distill.detection.blazeface import BlazeFaceDetector
from distill.detection.detector import DETECTORS, FaceDetector, as_detector, bundled_detector, open_detector
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.retinaface.sidecar import read_detector_sidecar
from distill.detection.third_party.description import ThirdPartySpec, write_third_party_spec
from distill.errors import CheckpointError, ConfigError
from tests.support.third_party_files import white_cell, write_yunet


def test_names_and_files() -> None:
    assert isinstance(open_detector(), RetinaFaceDetector)
    assert isinstance(open_detector("blazeface"), BlazeFaceDetector)
    assert isinstance(open_detector(bundled_detector(), size=320), RetinaFaceDetector)
    soft = open_detector(suppression="soft")
    assert isinstance(soft, RetinaFaceDetector)
    assert soft.suppression == "soft"
    assert isinstance(open_detector(bundled_detector().parent), BlazeFaceDetector)  # a folder with BlazeFace's files
    for name in ("retinaface", "retinaface_int8"):
        assert read_detector_sidecar(bundled_detector(name)).table is not None


def test_int8_finds_the_faces_of_fp16() -> None:
    """The first and the last layers are in floats, so that boxes move by less than a fiftieth of a face."""
    photo = render_face(5, 0, 256, 0.3).image
    (found,), (expected,) = (FaceDetector(name)(photo) for name in ("retinaface_int8", "retinaface"))
    assert np.abs(np.subtract(found.box, expected.box)).max() < 0.02 * expected.box.width


@pytest.mark.parametrize("name", DETECTORS)
def test_no_face_in_plain_photos(name: str) -> None:
    detector = FaceDetector(name)
    assert detector(np.full((90, 120, 3), 90, np.uint8)) == []
    assert detector(np.zeros((1, 1, 3), np.uint8)) == []


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown detector 'retinafase': did you mean 'retinaface'.* \.onnx file$"):
        open_detector("retinafase")
    with pytest.raises(ConfigError, match="fixed sizes"):
        open_detector("blazeface", size=320)
    with pytest.raises(ConfigError, match="averages overlapping boxes: leave suppression 'soft' out"):
        open_detector("blazeface", suppression="soft")
    with pytest.raises(ConfigError, match="min_score"):
        open_detector("blazeface", min_score=-1)
    with pytest.raises(CheckpointError, match="no such detector file"):
        open_detector("missing.tflite")


def test_names_and_files_stand_for_detectors() -> None:
    for name in ("retinaface_int8", bundled_detector(), str(bundled_detector())):
        found = as_detector(name)
        assert isinstance(found, FaceDetector)
        assert found.name == str(name)
    own = lambda _: []  # noqa: E731
    assert as_detector(own) is own
    assert as_detector(None) is None
    with pytest.raises(ConfigError, match="unknown detector ''"):
        as_detector("")
    with pytest.raises(ConfigError, match="int is no detector; give a function of a photo, a name or a file"):
        as_detector(5)  # type: ignore[arg-type]


def test_files_of_other_projects(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a calibration a warning says how crops are made."""
    path = write_yunet(tmp_path / "yunet.onnx")
    detector = FaceDetector(path)
    assert "yunet.onnx: YuNet boxes are taken for those of WIDER FACE" in caplog.text
    assert len(detector(white_cell(64, 64, 2, 3))) == 1
    caplog.clear()
    write_third_party_spec(path, ThirdPartySpec(to_box=((1.0, 1.0, 0.0, 0.0), *((0.0,) * 4,) * 11)))
    FaceDetector(path)
    assert caplog.text == ""
