import json
from pathlib import Path

import numpy as np
import pytest

from distill.errors import ConfigError, ExportError
from distill.export import pipeline
from distill.export.calibration import calibrate_on
from distill.export.config import CalibrationConfig, ExportConfig
from distill.export.export import convert_checkpoint
from distill.export.pipeline import ExportResult
from distill.export.quantization_modes import MODES
from distill.export.verify.sensitivity import sensitivity
from distill.export.verify.tolerances import GATES, Gate
from distill.files import sha256
from distill.geometry import CropSpec
from distill.inference.load import open_backend
from distill.models import create_model
from distill.spec import ModelSpec
from distill.tflite.runtimes import list_runtimes
from distill.tflite.serialization import read_model
from tests.support.environments import present_lane
from tests.support.exported import export


def test_every_stage_is_measured_in_every_runtime(exported: ExportResult) -> None:
    names = [result.name for result in exported.parity.results]
    assert names[0] == "onnx"
    assert any(name.startswith("fp32 on litert") for name in names)
    assert any(name.startswith("fp16 on tflite-runtime") for name in names)
    assert exported.parity.max_px("onnx") <= 0.01
    assert exported.parity.max_px("fp32") <= 0.05


def test_the_report_describes_the_files_beside_it(exported: ExportResult) -> None:
    report = json.loads(exported.report.read_text())
    for mode, entry in report["files"].items():
        assert entry["sha256"] == sha256(exported.report.parent / entry["file"])
        assert exported.files[mode].name == entry["file"]
    assert report["ops"]["fp32"]["passed"]
    names = {path.name for path in exported.report.parent.iterdir()}
    models = ["student", *(f"student_{mode}" for mode in MODES)]
    endings = {"student": ".onnx"}
    assert names == {f"{m}{end}" for m in models for end in (".json", endings.get(m, ".tflite"))} | {"export.json"}


def test_the_report_says_what_the_integers_were_calibrated_on(exported: ExportResult, spec: ModelSpec) -> None:
    report = json.loads(exported.report.read_text())
    again = calibrate_on(spec, CalibrationConfig(faces=3))
    assert report["calibration"] == {"source": again.source, "faces": 3, "data_hash": again.data_hash}
    assert report["quantize"]["float_modules"] == ["head", r"head\.normalise"]


@pytest.mark.usefixtures("reuse_exported")
def test_a_missed_gate_of_integers_names_the_layers(
    net, spec: ModelSpec, crops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_the_neck(onnx_path, crops, rounding, skip, progress):  # each layer takes a run; test_parity_report has all
        return sensitivity(onnx_path, crops, rounding, lambda name: skip(name) or not name.startswith("neck."))

    monkeypatch.setattr(pipeline, "sensitivity", of_the_neck)
    gates = dict(GATES) | {"int8": Gate(1e-9, 1e-9)}
    with pytest.raises(ExportError, match=r"int8 on litert.*worst landmarks \d+ of .*most sensitive layers neck\."):
        export(net, spec, tmp_path, crops, gates=gates, modes=("int8",))
    assert list(tmp_path.iterdir()) == []


def test_faces_that_are_measured_are_not_calibrated_on(net, spec: ModelSpec, tmp_path: Path) -> None:
    calibration = calibrate_on(spec, CalibrationConfig(faces=2))
    with pytest.raises(ConfigError, match="2 calibration faces"):
        export(net, spec, tmp_path, calibration.crops, modes=("int8",), calibration=calibration)


@pytest.mark.usefixtures("reuse_exported")
def test_a_failed_gate_leaves_the_folder_as_it_was(net, spec: ModelSpec, crops, tmp_path: Path) -> None:
    (tmp_path / "student_fp32.tflite").write_bytes(b"the one before")
    gates = dict(GATES) | {"fp32": Gate(1e-9, 1e-9)}
    with pytest.raises(ExportError, match=r"fp32 on litert.*gate 1e-09"):
        export(net, spec, tmp_path, crops, gates=gates, modes=("fp32",))
    assert [path.name for path in tmp_path.iterdir()] == ["student_fp32.tflite"]
    assert (tmp_path / "student_fp32.tflite").read_bytes() == b"the one before"


@pytest.mark.usefixtures("reuse_exported")
def test_weights_of_another_network_are_noticed(net, spec: ModelSpec, crops, tmp_path: Path) -> None:
    import copy

    other = copy.deepcopy(net)
    other.head.heatmap.weight.data.neg_()
    with pytest.raises(ExportError, match=r"fp32 on litert.*moved the landmarks"):
        export(other, spec, tmp_path, crops, modes=("fp32",))


@pytest.mark.usefixtures("reuse_exported")
def test_a_runtime_that_is_too_old_is_refused(net, spec: ModelSpec, crops, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"does not run on TFLite 2\.2\.0: BATCH_MATMUL v1 needs 2\.3\.0"):
        export(net, spec, tmp_path, crops, runtime="2.2.0", modes=("fp32",))
    assert list(tmp_path.iterdir()) == []


def test_crops_of_another_size_are_refused_first(net, spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\(n, 64, 64, 3\), got \(2, 32, 32, 3\)"):
        export(net, spec, tmp_path, np.zeros((2, 32, 32, 3), np.float32))


def test_an_environment_that_is_not_there_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    config = ExportConfig(environment=tmp_path / "nowhere")
    with (
        pytest.raises(ConfigError, match=r"--environment .*nowhere"),
        convert_checkpoint(tmp_path / "absent.ckpt", None, config),
    ):
        pass


def test_files_of_a_fixed_batch_pass_every_gate_and_state_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the crops nor the calibration faces fill the last batch; the export form and statistics are in floats."""
    net = create_model("efld", "inner51", image_size=64).eval()
    spec = ModelSpec("efld", "inner51", 51, CropSpec(size=64))
    crops = np.random.default_rng(0).random((4, 64, 64, 3), np.float32)
    gates = dict(GATES) | {"int8": Gate(64, 64, 9, 1)}
    litert = [runtime for runtime in list_runtimes() if runtime.name == "litert"]
    monkeypatch.setattr(pipeline, "list_runtimes", lambda: litert)
    result = export(
        net, spec, tmp_path, crops, calibration=calibrate_on(spec, CalibrationConfig(faces=2)), gates=gates,
        modes=["fp32", "int8"], lane=present_lane(), batch=3, integer_parts=True,
    )  # fmt: skip
    assert json.loads(result.report.read_text())["batch"] == 3
    for path in result.files.values():
        assert json.loads(path.with_suffix(".json").read_text())["batch"] == 3
        backend = open_backend(path)
        assert backend.batch == 3
        assert backend(crops).shape == (4, 51, 2)
    assert "each of 3 faces" in str(result.files["int8"].read_bytes())
    ends = read_model(result.parts["int8_body"]).main.inputs + read_model(result.parts["int8_decoder"]).main.outputs
    assert [tensor.shape[0] for tensor in ends] == [3, 3]


@pytest.mark.parametrize("batch", [0, -1, 257])
def test_a_batch_of_no_or_very_many_crops_is_refused(batch: int) -> None:
    with pytest.raises(ConfigError, match=f"--batch {batch} must be 1 to 256"):
        ExportConfig(batch=batch)
