from dataclasses import replace
from pathlib import Path

import pytest

from distill.export.pipeline import ExportResult
from distill.opcheck.module_map import _aligned, module_of, modules_of, scope_of
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


def test_alignment_is_the_longest_common_subsequence() -> None:
    first = [("CONV", 4), ("PAD", 6), ("MUL", 4), ("ADD", 4), ("CONV", 8)]
    second = [("CONV", 4), ("MUL", 4), ("DIV", 4), ("CONV", 8), ("CONV", 8)]
    assert _aligned(first, second) in ({0: 0, 2: 1, 4: 3}, {0: 0, 2: 1, 4: 4})
    assert _aligned(first, []) == _aligned([], second) == {}


def test_an_exported_net_is_traced_to_its_modules(exported: ExportResult) -> None:
    """Where onnx2tf kept a path, the alignment must say the same without looking at it."""
    operators = read_model(exported.files["fp32"]).operators
    modules = modules_of(operators, exported.files["onnx"])
    assert all(module is not None for module in modules)
    kept = [(index, scope) for index, node in enumerate(operators) if (scope := scope_of(node.outputs[0].name))]
    assert kept
    nameless = [replace(node, outputs=tuple(replace(out, name="") for out in node.outputs)) for node in operators]
    blind = modules_of(nameless, exported.files["onnx"])
    assert [blind[index] for index, _ in kept] == [scope for _, scope in kept]


def test_without_an_onnx_file_nothing_is_claimed(exported: ExportResult) -> None:
    operators = read_model(exported.files["fp32"]).operators
    assert modules_of(operators, None).count(None) > len(operators) // 2


def test_a_broken_onnx_file_costs_only_the_names(exported: ExportResult, tmp_path: Path) -> None:
    broken = tmp_path / "net.onnx"
    broken.write_bytes(b"<html>")
    operators = read_model(exported.files["fp32"]).operators
    assert modules_of(operators, broken) == modules_of(operators, None)
