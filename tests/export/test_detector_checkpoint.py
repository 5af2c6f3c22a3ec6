"""Export of a trained detector: score and calibration from the run's photos, nothing published that is far off."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml

from distill.cli.export_detector import export_if_detector
from distill.cli.main import main
from distill.data.photos.config import PasteSetConfig, PhotoDataConfig, PhotoSetConfig
from distill.data.photos.paste_faces import wider_box
from distill.data.photos.records import make_photo
from distill.data.photos.stored_config import photos_of_run
from distill.data.readers import read_faces
from distill.data.synthetic.write import write_faces
from distill.detection.detector import bundled_detector
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.retinaface.sidecar import read_detector_sidecar
from distill.errors import CheckpointError, ConfigError, ExportError
from distill.export import detector_checkpoint
from distill.export.detector import MODES, DetectorExport, export_decoded_onnx, export_detector_onnx, with_free_sides
from distill.export.detector_checkpoint import (
    AP_GATES,
    GATES,
    DetectorFile,
    export_detector_checkpoint,
    require_precision,
)
from distill.images import read_image
from distill.training.config import LogConfig
from distill.training.detector_config import DetectorConfig
from distill.training.loggers.csv import plain_config

WEIGHTS = Path(__file__).parents[2] / "checkpoints" / "retinaface_035.safetensors"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PhotoDataConfig:
    """Generated faces as photos with boxes, and as faces to paste."""
    root = tmp_path_factory.mktemp("photos")
    write_faces(root / "faces", 8, seed=3, size=192, difficulty=0.3)
    lines = []
    for record in read_faces("manifest", root / "faces", None, "ibug68"):
        x0, y0, x1, y1 = wider_box(record.landmarks)
        lines += [f"# {record.image.relative_to(root / 'faces')}", f"{x0:.1f} {y0:.1f} {x1 - x0:.1f} {y1 - y0:.1f}"]
    (root / "label.txt").write_text("\n".join(lines) + "\n")
    photos = PhotoSetConfig(root / "label.txt", root / "faces", hold_out=2)
    return PhotoDataConfig([photos], paste=[PasteSetConfig("manifest", root / "faces")], val_size=320)


@pytest.fixture
def run(data: PhotoDataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose weights are the released ones; the converter, which takes a minute, gives their released files."""
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "best.safetensors").write_bytes(WEIGHTS.read_bytes())
    config = DetectorConfig(data=data, log=LogConfig("disabled"))
    (folder / "config.yaml").write_text(yaml.safe_dump(plain_config(config)))
    (folder / "metrics.csv").write_text("step,name,value\n")

    def converted(net: Any, out: str, stem: str, modes: Sequence[str], *rest: Any, **options: Any) -> DetectorExport:
        files = {}
        for mode in modes:
            released = bundled_detector("retinaface_int8" if mode == "int8" else "retinaface")
            files[mode] = Path(out) / f"{stem}_{mode}.tflite"
            files[mode].write_bytes(released.read_bytes())
        return DetectorExport(files, {})

    monkeypatch.setattr(detector_checkpoint, "export_detector", converted)
    return folder


@pytest.fixture
def with_onnx(run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose export also makes the ONNX file, as the real one does."""
    converted = detector_checkpoint.export_detector

    def both(net: Any, out: str, stem: str, *rest: Any, **options: Any) -> DetectorExport:
        path = export_detector_onnx(net, Path(out) / f"{stem}.onnx")
        onnx.save(with_free_sides(onnx.load(str(path))), str(path))
        return DetectorExport({"onnx": path, **converted(net, out, stem, *rest, **options).files}, {})

    monkeypatch.setattr(detector_checkpoint, "export_detector", both)
    return run


def test_a_file_has_its_score_and_calibration_from_the_photos_of_the_run(run: Path) -> None:
    (file,) = export_detector_checkpoint(run / "best.safetensors", modes=("fp16",))
    assert file.path == run / "export" / "detector_fp16.tflite"
    spec = read_detector_sidecar(file.path)
    assert (spec.size, spec.min_score) == (320, file.min_score)
    assert file.calibrated
    assert np.shape(spec.to_box) == (12, 4)
    assert file.ap is not None
    assert file.ap > 0.8
    assert 0 < file.parity["mean_px"] < GATES["fp16"]
    assert f"held-out photos: AP {file.ap:.3f}, at score" in str(file)
    faces = read_faces("manifest", photos_root(run), None, "ibug68")
    detector, errors = RetinaFaceDetector(file.path), []
    for record in faces:
        box = record.boxes["gt"]
        boxes = [found.box for found in detector(read_image(record.image))[:1]]
        errors += [np.abs(np.subtract(found, box)).max() / max(box.width, box.height) for found in boxes]
    assert len(errors) > 5
    assert float(np.median(errors)) < 0.08, "boxes are those of the landmarks"


def test_every_format_has_a_gate() -> None:
    assert set(GATES) == set(AP_GATES) == {"onnx", *MODES}


def test_a_file_with_decoding_is_described_with_its_side(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def decoded(net: Any, out: str, stem: str, *rest: Any, decoded: int, **_: Any) -> DetectorExport:
        return DetectorExport({"onnx": export_decoded_onnx(net, Path(out) / f"{stem}.onnx", decoded)}, {})

    monkeypatch.setattr(detector_checkpoint, "export_detector", decoded)
    words = ["export", str(run / "best.safetensors"), "--modes", "[fp16]", "--log.wandb", "disabled", "--decoded"]
    assert main([*words, "200"]) == 2
    assert "size 200 must be a multiple of 32" in capsys.readouterr().err
    (file,) = export_detector_checkpoint(run / "best.safetensors", decoded=160)
    assert file.parity["mean_px"] < GATES["onnx"]
    spec = read_detector_sidecar(run / "export" / "detector.onnx")
    assert (spec.size, spec.decoded, bool(spec.to_box)) == (160, True, True)


@pytest.mark.slow
def test_a_file_is_compared_with_pytorch_in_average_precision(with_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact, file = export_detector_checkpoint(with_onnx / "best.safetensors", modes=("fp16",))
    assert exact.path.suffix == ".onnx"
    assert file.torch_ap == exact.ap == pytest.approx(file.ap, abs=AP_GATES["fp16"])
    assert f"held-out photos: AP {file.ap:.3f} (PyTorch {file.torch_ap:.3f}), at score" in str(file)
    values = iter([0.9, 0.6])
    monkeypatch.setattr(detector_checkpoint, "average_precision", lambda found: next(values))
    lower = r"net_fp16.tflite: average precision is 0.600 on the held-out photos, PyTorch's is 0.900; 0.250 less is"
    with pytest.raises(ExportError, match=lower):
        export_detector_checkpoint(with_onnx / "best.safetensors", modes=("fp16",), stem="net")
    assert not (with_onnx / "export" / "net.onnx").exists()


def test_the_gate_is_never_less_than_one_face() -> None:
    file = DetectorFile(Path("net.tflite"), {}, ap=0.86, torch_ap=0.9)
    photos = [make_photo("photo", Path(), [[0, 0, 9, 9]])] * 50
    assert require_precision(file, 0.02, photos[:20]) == file
    with pytest.raises(ExportError, match=r"0\.860 on the held-out photos, PyTorch's is 0\.900; 0\.020 less is"):
        require_precision(file, 0.02, photos)
    assert require_precision(replace(file, ap=0.95), 0.02, photos).ap == 0.95
    assert require_precision(replace(file, torch_ap=None), 0.02, photos).torch_ap is None


def photos_root(run: Path) -> Path:
    stored = photos_of_run(run / "best.safetensors")
    assert stored is not None
    return stored.paste[0].root


def test_the_photos_of_a_run_are_those_of_its_training(run: Path, data: PhotoDataConfig) -> None:
    stored = photos_of_run(run / "best.safetensors")
    assert stored is not None
    assert (stored.sets, stored.paste, stored.val_size) == (data.sets, data.paste, data.val_size)
    (run / "config.yaml").write_text("data: {format: 300w}\n")
    with pytest.raises(ConfigError, match="no configuration of a detector's training"):
        photos_of_run(run / "best.safetensors")


def test_weights_without_a_run_are_compared_on_generated_faces(run: Path, tmp_path: Path) -> None:
    (file,) = export_detector_checkpoint(WEIGHTS, tmp_path / "files", ("fp16",), stem="net")
    assert file.path == tmp_path / "files" / "net_fp16.tflite"
    assert (file.ap, file.calibrated, file.min_score) == (None, False, 0.5)
    assert "as there is no run with photos; boxes as trained" in str(file)
    assert not read_detector_sidecar(file.path).to_box


def test_nothing_is_written_where_one_file_is_too_far_off(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_checkpoint, "GATES", {**GATES, "int8": 1e-3})
    with pytest.raises(ExportError, match=r"detector_int8.tflite: corners of boxes are .* px from PyTorch, more than"):
        export_detector_checkpoint(run / "best.safetensors", modes=("fp16", "int8"))
    assert not (run / "export").exists()


def test_the_command_exports_a_detector_and_records_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = run / "best.safetensors"
    assert main(["export", str(model), "--modes", "[fp16]", "--log.wandb", "disabled"]) == 0
    printed = capsys.readouterr().out
    assert f"use it: distill predict PHOTO --detector {run / 'export' / 'detector_fp16.tflite'}" in printed
    (job,) = [json.loads(line) for line in (run / "lineage.jsonl").read_text().splitlines()]
    assert job["type"] == "export"
    for words in (["--integer_parts", "true"], ["--parity_report"], ["--data.preset", "300w"]):
        assert main(["export", str(model), *words]) == 2
        assert f"{words[0]} has no effect on the export of a detector" in capsys.readouterr().err


def test_a_run_whose_photos_show_no_face_it_finds_keeps_the_default_score(run: Path) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    path = Path(config["data"]["sets"][0]["labels"])
    moved = path.with_name("elsewhere.txt")
    lines = [line if line.startswith("#") else "0 0 6 6" for line in path.read_text().splitlines()]
    moved.write_text("\n".join(lines) + "\n")
    config["data"]["sets"][0]["labels"] = str(moved)
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (file,) = export_detector_checkpoint(run / "best.safetensors", modes=("fp16",))
    assert (file.min_score, file.ap, file.precision) == (0.5, 0.0, None)
    assert "finds no face of the held-out photos (AP 0), score 0.5; boxes calibrated to landmarks" in str(file)


def test_other_models_are_left_to_the_export_of_landmark_networks(tmp_path: Path) -> None:
    assert export_if_detector({"model": tmp_path / "absent.ckpt"}, []) is None
    (tmp_path / "text.ckpt").write_text("no weights")
    assert export_if_detector({"model": tmp_path / "text.ckpt"}, []) is None
    landmarks = {"model": WEIGHTS.with_name("efld_51_128.safetensors")}
    assert export_if_detector(landmarks, []) is None
    with pytest.raises(ConfigError, match="--decoded has no effect on a landmark network"):
        export_if_detector({**landmarks, "decoded": 320}, [])
    with pytest.raises(CheckpointError, match=r"absent\.ckpt: no such model file"):
        export_if_detector({"model": tmp_path / "absent.ckpt", "decoded": 320}, [])


def test_files_are_described_by_a_plain_mapping(run: Path) -> None:
    (file,) = export_detector_checkpoint(run / "best.safetensors", modes=("fp16",))
    assert json.loads(json.dumps(file.to_dict()))["path"] == "detector_fp16.tflite"
    assert replace(file, ap=None).to_dict()["ap"] is None
