"""A face detector measured on generated photos with boxes and five points, by function and command.

The command is `distill.cli.evaluate_detector`.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.io import savemat

from distill.cli.detectors import names_a_detector
from distill.cli.main import main
from distill.data.photos.config import PhotoDataConfig, PhotoSetConfig
from distill.data.photos.paste_faces import wider_box
from distill.data.readers import read_faces
from distill.data.synthetic.write import write_faces
from distill.detection.detector import bundled_detector
from distill.errors import ConfigError
from distill.evaluate.detector import evaluate_detector
from distill.training.config import LogConfig
from distill.training.detector_config import DetectorConfig
from distill.training.loggers.csv import plain_config
from tests.support.third_party_files import write_net, write_scrfd
from tests.support.wider_files import cells

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "checkpoints" / "retinaface_035.safetensors"
LANDMARKS = ROOT / "checkpoints" / "student_128_fp16.tflite"
FACES = 6


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> PhotoSetConfig:
    """Six generated faces, one a photo, with boxes and points as in RetinaFace's `label.txt`."""
    root = tmp_path_factory.mktemp("photos")
    write_faces(root / "faces", FACES, seed=3, size=160, difficulty=0.3)
    lines = []
    for record in read_faces("manifest", root / "faces", None, "ibug68"):
        x0, y0, x1, y1 = wider_box(record.landmarks)
        points = " ".join(f"{x:.2f} {y:.2f} 0" for x, y in record.in_scheme("five").landmarks)
        box = f"{x0 + 0.5:.1f} {y0 + 0.5:.1f} {x1 - x0:.1f} {y1 - y0:.1f}"
        lines += [f"# {record.image.relative_to(root / 'faces')}", f"{box} {points} 0.9"]
    (root / "label.txt").write_text("\n".join(lines) + "\n")
    return PhotoSetConfig(root / "label.txt", root / "faces")


def typed(photos: PhotoSetConfig, **more: object) -> list[str]:
    return ["--photos", json.dumps([{"labels": str(photos.labels), "images": str(photos.images), **more}])]


def test_generated_faces_are_found_and_their_points_are_near(photos: PhotoSetConfig) -> None:
    found = evaluate_detector("retinaface", [photos], size=160, progress=False)
    assert (found.protocol.photos, found.protocol.faces) == (FACES, FACES)
    assert found.ap > 0.8
    at = found.at(found.score)
    assert at["recall"] > 0.8
    assert at["faces_by_size"]["64-"] == FACES
    assert found.nme is not None
    assert 0.01 < found.nme < 0.1
    assert found.official == {}


def test_weights_and_their_file_agree(photos: PhotoSetConfig) -> None:
    weights, file = (
        evaluate_detector(model, [photos], size=160, progress=False) for model in (WEIGHTS, bundled_detector())
    )
    assert weights.protocol.size == file.protocol.size == 160
    assert weights.protocol.data_hash == file.protocol.data_hash
    for first, second in zip(weights.matches, file.matches, strict=True):
        assert first.found == pytest.approx(second.found, abs=0.01)  # file: half precision


def test_the_command_writes_what_it_measured(
    photos: PhotoSetConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "detector.json"
    assert main(["evaluate", "retinaface", *typed(photos), "--limit", "2", "--json", str(out)]) == 0
    content = json.loads(out.read_text())
    assert content["format"] == "distill-detector-evaluation/1"
    assert content["protocol"]["photos"] == 2
    assert "retinaface: 2 photos, 2 faces, average precision" in capsys.readouterr().out


def test_a_run_is_measured_on_the_photos_that_it_held_out(photos: PhotoSetConfig, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    (run / "export").mkdir(parents=True)
    (run / "best.safetensors").write_bytes(WEIGHTS.read_bytes())
    data = PhotoDataConfig([PhotoSetConfig(photos.labels, photos.images, hold_out=3)], val_size=160)
    (run / "config.yaml").write_text(yaml.safe_dump(plain_config(DetectorConfig(data=data, log=LogConfig("disabled")))))
    (run / "metrics.csv").write_text("step,name,value\n")
    found = evaluate_detector(run / "best.safetensors", progress=False)
    assert (found.protocol.photos, found.protocol.size) == (FACES // 3, 160)
    for suffix in (".tflite", ".json"):
        source = bundled_detector().with_suffix(suffix)
        (run / "export" / source.name).write_bytes(source.read_bytes())
    exported = evaluate_detector(run / "export" / bundled_detector().name, progress=False)
    assert exported.protocol.data_hash == found.protocol.data_hash
    assert main(["evaluate", str(run / "best.safetensors")]) == 0
    (record,) = (run / "records").glob("evaluate-best-*.json")
    assert json.loads(record.read_text())["protocol"]["photos"] == FACES // 3


def test_official_files_give_the_average_precision_by_difficulty(photos: PhotoSetConfig, tmp_path: Path) -> None:
    folder = tmp_path / "images" / "0--Parade"
    folder.mkdir(parents=True)
    record = next(iter(read_faces("manifest", photos.images, None, "ibug68")))
    (folder / "a.jpg").write_bytes(record.image.read_bytes())
    x0, y0, x1, y1 = wider_box(record.landmarks)
    boxes = np.array([[x0 + 0.5, y0 + 0.5, x1 - x0, y1 - y0]])
    names = {"event_list": cells("0--Parade"), "file_list": cells(cells("a"))}
    flags = {"face_bbx_list": cells(cells(boxes)), "invalid_label_list": cells(cells(np.zeros((1, 1))))}
    savemat(tmp_path / "wider_face_val.mat", names | flags)
    for name, indices in {"easy": np.zeros((0, 1)), "medium": np.ones((1, 1)), "hard": np.ones((1, 1))}.items():
        savemat(tmp_path / f"wider_{name}_val.mat", names | {"gt_list": cells(cells(indices))})
    given = PhotoSetConfig(tmp_path / "wider_face_val.mat", tmp_path / "images", "wider_mat")
    official = evaluate_detector("retinaface", [given], progress=False).official
    assert np.isnan(official["easy"])  # no face counts
    assert official["medium"] == official["hard"] == pytest.approx(1.0)


def test_blazeface_is_measured_by_its_calibrated_boxes(photos: PhotoSetConfig) -> None:
    found = evaluate_detector("blazeface", [photos], limit=1, progress=False)
    assert (found.protocol.boxes, found.protocol.size, found.nme) == ("calibrated", None, None)


def test_a_model_of_landmarks_is_no_detector() -> None:
    assert not names_a_detector(LANDMARKS)
    assert not names_a_detector(Path("student_68_128"))
    assert names_a_detector(bundled_detector())
    assert names_a_detector(WEIGHTS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["retinaface"], "retinaface: name photos with boxes to measure on"),
        (["retinaface", "--boxes", "detector"], "--boxes has no effect on the evaluation of a detector"),
        (["student_68_128", "--photos", '[{"labels": "a", "images": "b"}]'], "student_68_128 is no face detector"),
        (["student_68_128", "--detector_size", "640"], "--detector_size belongs to --boxes detector"),
        (["retinafac", "--photos", '[{"labels": "a", "images": "b"}]'], "did you mean 'retinaface'"),
        (["student_68", "--detector_size", "640"], "did you mean 'student_68_128'"),
        (["detector.tflite", "--detector_size", "640"], "detector.tflite: no such model file"),
    ],
)
def test_options_without_effect_are_refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", *words]) != 0
    assert message in capsys.readouterr().err


def test_photos_that_cannot_be_measured_are_refused(photos: PhotoSetConfig) -> None:
    with pytest.raises(ConfigError, match="limit 0 leaves no photo"):
        evaluate_detector("retinaface", [photos], limit=0, progress=False)
    with pytest.raises(ConfigError, match="no photo in these sets"):
        evaluate_detector("retinaface", [PhotoSetConfig(photos.labels, photos.images, hold_out=99)], progress=False)
    with pytest.raises(ConfigError, match="repeat has no effect"):
        evaluate_detector("retinaface", [PhotoSetConfig(photos.labels, photos.images, repeat=2)], progress=False)


def test_a_file_of_another_project(photos: PhotoSetConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is recognised without a description; outputs of no known layout are named where photos are given."""
    model = write_scrfd(tmp_path / "scrfd.onnx")
    assert names_a_detector(model)
    found = evaluate_detector(model, [photos], size=160, limit=2, progress=False)
    assert (found.protocol.size, found.protocol.boxes, found.score) == (160, "own", 0.5)
    assert found.protocol.model_sha256
    other = write_net(tmp_path / "other.onnx", {"score": None}, 64)
    assert not names_a_detector(other)
    assert main(["evaluate", str(other), *typed(photos)]) == 2
    error = capsys.readouterr().err
    assert "other.onnx: no known detector: input 1x3x64x64, outputs score_8 1x64x1" in error
    assert error.count("\n") == 1
