import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from distill.errors import ConfigError, ExportError
from distill.export.lanes.channels_first import channels_first
from distill.export.pipeline import ExportResult
from distill.export.to_tflite import check_interface, export_tflite
from distill.spec import ModelSpec, read_sidecar
from distill.tflite.serialization import read_model
from tests.support.environments import present_lane

# The modern lane leaves those around means over rows and columns, in norms and in the confidence.
TRANSPOSES = {"modern": 11, "classic": 1}
NODES = {"modern": 483, "classic": 459}


def test_the_graph_is_small_and_flat(exported: ExportResult) -> None:
    """NCHW noise would show as transposes, an unfold as rank 6, a dropped fusion as more nodes."""
    graph = read_model(exported.files["fp32"]).main
    names = [operator.op for operator in graph.operators]
    lane = json.loads(exported.report.read_text())["lane"]
    assert names.count("TRANSPOSE") <= TRANSPOSES[lane]
    assert len(names) <= NODES[lane]
    assert max(len(tensor.shape) for operator in graph.operators for tensor in operator.tensors) <= 4
    assert graph.inputs[0].shape == (1, 64, 64, 3)
    assert [tensor.shape for tensor in graph.outputs] == [(1, 51, 2), (1, 51)]


def test_half_precision_is_half_the_size(exported: ExportResult, spec: ModelSpec) -> None:
    sizes = {mode: exported.files[mode].stat().st_size for mode in ("fp32", "fp16")}
    assert sizes["fp16"] < 0.55 * sizes["fp32"]
    assert all(read_sidecar(exported.files[mode]) == spec for mode in sizes)


def test_another_interface_is_refused(exported: ExportResult, spec: ModelSpec) -> None:
    blob = exported.files["fp32"].read_bytes()
    with pytest.raises(ExportError, match=r"student: inputs and outputs.*changed the interface"):
        check_interface(blob, replace(spec, n_points=68), "student")


def test_only_graphs_of_our_export_are_taken(exported: ExportResult) -> None:
    model = channels_first(onnx.load(str(exported.files["onnx"])))
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 64, 64]
    with pytest.raises(ExportError, match="does not start with one transpose"):
        channels_first(model)


def test_an_unknown_kind_is_named(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"\['int4'\]: did you mean 'int8'\? valid: fp32, fp16, w8, dynamic"):
        export_tflite(tmp_path / "absent.onnx", spec, tmp_path, ("int4",))


def test_integers_need_faces_to_be_calibrated_on(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="int8 need faces"):
        export_tflite(tmp_path / "absent.onnx", spec, tmp_path, ("fp32", "int8"))


def test_too_slow_a_conversion_is_stopped(exported: ExportResult, spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="more than 0 s"):
        export_tflite(exported.files["onnx"], spec, tmp_path, ("fp32",), timeout_s=0.2, lane=present_lane())
    assert list(tmp_path.iterdir()) == []
