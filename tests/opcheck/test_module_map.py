from pathlib import Path

import pytest

from distill.export.pipeline import ExportResult
from distill.opcheck.module_map import _with_neighbours, _with_next, module_map, module_of, scope_of
from distill.tflite.serialization import read_model


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("/net/head/heatmap/Conv_output_0", "head.heatmap"),
        ("/net/neck/stages_2/stages_2.1/layers/layers.2/layers.2.0/attn/Softmax", "neck.stages_2.1.layers.2.0.attn"),
        ("/backbone/stages.1/Conv", "backbone.stages.1"),
        ("/Div", ""),
        ("landmarks", ""),
    ],
)  # fmt: skip
def test_a_path_in_the_graph_is_a_module(name: str, module: str) -> None:
    assert module_of(name) == module


def test_a_path_onnx2tf_kept_is_found() -> None:
    name = "model_2/tf.nn.softmax/wa/net/stages_2/stages_2.1/attn/Softmax;other/Add"
    assert scope_of(name) == "stages_2.1.attn"
    assert scope_of("model_296/tf.math.add/Add") is None
    assert scope_of("forwarding/MatMul") is None
    assert scope_of("wa/net/neck/smooth.0/Conv_output_nhwc") == "neck.smooth.0"
    assert scope_of("wa/net/neck/smooth.0/Conv_input_nhwc") is None


def test_an_exported_net_is_traced_to_its_modules(exported: ExportResult) -> None:
    """Where onnx2tf kept a path, the alignment must say the same without looking at it.

    Without TensorFlow it keeps nearly all. Then a layer with its activation is of two modules, and the equally large
    maps of two heads have no order: one operator in fifty may differ.
    """
    model = read_model(exported.files["fp32"])
    assert all(module is not None for module in module_map(model, exported.files["onnx"]))
    kept = {index: scope for index, node in enumerate(model.operators) if (scope := scope_of(node.outputs[0].name))}
    assert kept
    for tensor in model.main.tensors:
        tensor.name = ""
    without_names = module_map(model, exported.files["onnx"])
    unlike = [index for index, scope in kept.items() if without_names[index] != scope]
    assert len([i for i in unlike if not str(without_names[i]).startswith("between ")]) <= len(kept) // 50


def test_without_an_onnx_file_only_names_are_claimed(exported: ExportResult) -> None:
    model = read_model(exported.files["fp32"])
    assert module_map(model) == [scope_of(operator.outputs[0].name) for operator in model.operators]
    for tensor in model.main.tensors:
        tensor.name = ""
    assert module_map(model) == [None] * len(model.operators)


def test_a_broken_onnx_file_costs_only_the_names(exported: ExportResult, tmp_path: Path) -> None:
    broken = tmp_path / "net.onnx"
    broken.write_bytes(b"<html>")
    model = read_model(exported.files["fp32"])
    assert module_map(model, broken) == module_map(model)


def test_an_operator_without_a_match_is_placed_by_its_neighbours() -> None:
    assert _with_neighbours([None, "a", None, "a", None, "b", None]) == [
        "a",
        "a",
        "a",
        "a",
        "between a and b",
        "b",
        "b",
    ]
    assert _with_neighbours(["", None, "a"]) == ["", "between the input and a", "a"]
    assert _with_neighbours([None]) == [None]
    assert _with_next([None, "a", None, None, "b", None]) == ["a", "a", "b", "b", "b", None]
