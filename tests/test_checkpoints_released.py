"""Released files: listed in SHA256SUMS, unchanged, loadable, and as accurate as published."""

import json
from pathlib import Path

import numpy as np
import pytest

from distill.detection.detector import bundled_detector
from distill.detection.retinaface.sidecar import read_detector_sidecar
from distill.evaluate.evaluate import evaluate
from distill.files import sha256
from distill.inference.load import open_backend
from distill.landmarks import load_scheme
from distill.models.checkpoint import load_model
from distill.models.detector_checkpoint import is_detector, load_detector
from distill.pretrained.registry import DEFAULT_MODEL, model_cards
from distill.spec import read_sidecar

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "checkpoints"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in (".safetensors", ".tflite", ".json"))
DEFAULT = f"{DEFAULT_MODEL}_fp16.tflite"
TOLERANCE_PERCENT = 0.02


def files(suffix: str) -> list[Path]:
    return [path for path in FILES if path.suffix == suffix]


def test_every_file_is_listed_and_unchanged() -> None:
    listed = dict(reversed(line.split()) for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert listed == {path.name: sha256(path) for path in FILES}


def test_every_tflite_file_has_its_sidecar() -> None:
    assert {path.stem for path in files(".json")} == {path.stem for path in files(".tflite")}
    assert (FOLDER / DEFAULT).is_file()


def test_every_released_file_has_a_recorded_load_in_the_release_it_claims() -> None:
    """Made by scripts/checks/released_loads.py; a new file needs a new record."""
    models = json.loads((ROOT / "results" / "checks" / "released_loads.json").read_text())["models"]
    recorded = {model["sha256"]: model for model in models}
    for path in [*files(".tflite"), bundled_detector(), bundled_detector("retinaface_int8")]:
        record = recorded.get(sha256(path))
        assert record is not None, f"{path.name}: run python -m scripts.checks.released_loads"
        assert record["verdict"] == "runs on TFLite 2.11.0"
        assert record["loads"]["tflite-runtime 2.11.0"] == record["loads"]["tflite-runtime 2.14.0"] == "runs"


@pytest.mark.parametrize("path", files(".safetensors"), ids=lambda path: path.stem)
def test_weights_load(path: Path) -> None:
    if is_detector(path):
        detector, trained = load_detector(path)
        assert not detector.training
        assert trained.anchors == read_detector_sidecar(bundled_detector()).anchors
        own = model_cards()[path.stem]["distill"]
        assert own["parameters"] == sum(parameter.numel() for parameter in detector.parameters())
        assert own["width"] == trained.width
        return
    network, spec = load_model(path)
    assert not network.training
    assert spec.n_points == load_scheme(spec.scheme).n_points


@pytest.mark.parametrize("path", files(".tflite"), ids=lambda path: path.stem)
def test_tflite_files_load_and_predict(path: Path) -> None:
    backend = open_backend(path)
    assert backend.spec == read_sidecar(path)
    assert backend.sha256 == sha256(path)
    size = backend.spec.crop.size
    points = backend(np.full((1, size, size, 3), 0.5, np.float32))
    assert points.shape == (1, backend.spec.n_points, 2)
    assert np.isfinite(points).all()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_default_model_is_as_accurate_as_published(real_data: Path) -> None:
    published = json.loads((ROOT / f"results/studies/{DEFAULT_MODEL}.json").read_text())["fp16, gt"]
    assert published["protocol"]["model_sha256"] == sha256(FOLDER / DEFAULT)
    result = evaluate(FOLDER / DEFAULT, preset="300w", root=real_data / "300W", boxes="gt")
    assert result.protocol.n_faces == published["protocol"]["n_faces"] == 554
    assert result.protocol.data_hash == published["protocol"]["data_hash"]
    expected = published["metrics"]["ocular"]["nme_percent"]
    assert 100 * result.summary()["nme"] == pytest.approx(expected, abs=TOLERANCE_PERCENT)
