"""Calibration of detector files by function and command: boxes are nearer to those of the landmarks than before."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from distill.cli.main import main
from distill.data.config import FacesConfig
from distill.data.photos.records import make_photo
from distill.data.synthetic.write import write_faces
from distill.detection.detector import bundled_detector
from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.retinaface.sidecar import read_detector_sidecar
from distill.detection.third_party.description import read_third_party_spec
from distill.detection.third_party.detector import ThirdPartyDetector
from distill.errors import AnnotationError, CheckpointError, ConfigError
from distill.export import calibrate_detector as module
from distill.export.calibrate_detector import calibrate_detector, calibration_faces
from distill.images import Photo, read_image
from tests.support.third_party_files import write_yunet

FACES = 8
LANDMARKS = Path(__file__).parents[2] / "checkpoints" / "efld_51_128_fp16.tflite"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FacesConfig:
    root = tmp_path_factory.mktemp("faces")
    write_faces(root, FACES, seed=3, size=160, difficulty=0.3)
    return FacesConfig("manifest", root, "all")


@pytest.fixture
def yunet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with YuNet's outputs, whose faces are those of RetinaFace before its calibration."""
    stand_in = RetinaFaceDetector(bundled_detector(), 160, min_score=0.3)

    def find(self: ThirdPartyDetector, photo: Photo) -> Candidates:
        return stand_in.find(photo)

    monkeypatch.setattr(ThirdPartyDetector, "find", find)
    return write_yunet(tmp_path / "yunet.onnx")


def test_a_file_of_this_project(data: FacesConfig, tmp_path: Path) -> None:
    path = Path(shutil.copy(bundled_detector(), tmp_path))
    shutil.copy(bundled_detector().with_suffix(".json"), tmp_path)
    before = read_detector_sidecar(path)
    result = calibrate_detector(path, calibration_faces(data))
    assert (result.faces, result.found, result.min_score) == (FACES, FACES, None)
    assert result.after < 0.7 * result.before
    after = read_detector_sidecar(path)
    assert after.to_box != before.to_box
    assert (after.min_score, after.anchors, after.size) == (before.min_score, before.anchors, before.size)


def test_a_file_of_another_project(data: FacesConfig, yunet: Path) -> None:
    faces = calibration_faces(data)
    photos = [make_photo(face.name, face.image, [face.boxes["gt"]]) for face in faces]
    result = calibrate_detector(yunet, faces, photos)
    assert result.path == yunet.with_suffix(".json")
    assert result.after < result.before < 0.1
    spec = read_third_party_spec(yunet)
    assert spec.min_score == result.min_score
    assert spec.min_score is not None
    wanted = np.array(faces[0].boxes["gt"])
    (face,) = ThirdPartyDetector(yunet)(read_image(faces[0].image))
    assert np.abs(np.array(face.box) - wanted).max() < 0.1 * (wanted[2:] - wanted[:2]).max()


def test_the_command_keeps_the_score_without_photos(
    data: FacesConfig, yunet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["--data.format", "manifest", "--data.root", str(data.root), "--data.subset", "all"]
    assert main(["calibrate", str(yunet), *typed]) == 0
    assert f"yunet.json: {FACES} of {FACES} faces found" in capsys.readouterr().out
    assert read_third_party_spec(yunet).min_score is None


def test_what_is_refused(data: FacesConfig, yunet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"needs a detector's .onnx or .tflite file"):
        calibrate_detector("retinaface", [])
    with pytest.raises(CheckpointError, match=r"missing.onnx: no such detector file"):
        calibrate_detector("missing.onnx", [])
    with pytest.raises(ConfigError, match="finds 0 of 0 faces"):
        calibrate_detector(yunet, [])
    faces = calibration_faces(data)
    with pytest.raises(ConfigError, match="finds none of the faces in 1 photos"):
        calibrate_detector(yunet, faces, [make_photo("none", faces[0].image, [[0, 0, 4, 4]])])
    monkeypatch.setattr(module, "WITH_JAW", ("wflw98",))
    with pytest.raises(AnnotationError, match="ibug68; a calibration needs faces with points along the jaw"):
        calibration_faces(data)


def test_the_command_opens_the_model_before_it_reads_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    """With data of hundreds of megabytes, a wrong name took seconds to be told."""
    for model, told in (
        ("missing.onnx", "no such detector file"),
        (str(LANDMARKS), "a landmark model; give it as --model, and here a face detector"),
    ):
        assert main(["calibrate", model, "--data.format", "300w", "--data.root", "absent"]) == 2
        assert told in capsys.readouterr().err
