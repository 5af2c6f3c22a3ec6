from pathlib import Path

import numpy as np
import onnx
import pytest

from distill.errors import ExportError
from distill.export.pipeline import ExportResult
from distill.export.rewrites.rewrite import export_form
from distill.export.verify.tensor_matching import trace


def test_every_operator_belongs_to_a_module_that_exists(exported: ExportResult, net, crops) -> None:
    nodes = trace(exported.files["onnx"], exported.files["fp32"], crops[0])
    modules = {name for name, _ in export_form(net).named_modules()}
    assert {node.module for node in nodes} <= modules
    assert "head.heatmap" in {node.module for node in nodes if node.op == "CONV_2D"}
    assert all(before < index for index, node in enumerate(nodes) for before in node.reads)


def test_a_convolution_fused_with_its_activation_keeps_its_name(exported: ExportResult, crops) -> None:
    nodes = trace(exported.files["onnx"], exported.files["fp32"], crops[0])
    modes = {node.module: node.op for node in nodes}
    assert modes["neck.out.1.0"] == "CONV_2D"
    assert "neck.out.1.2" not in modes  # the ReLU behind it


def test_files_of_different_networks_are_noticed(exported: ExportResult, crops, tmp_path: Path) -> None:
    model = onnx.load(str(exported.files["onnx"]))
    for entry in model.graph.initializer:
        if entry.data_type == onnx.TensorProto.FLOAT:
            values = np.random.default_rng(0).normal(size=entry.dims).astype(np.float32)
            entry.CopyFrom(onnx.numpy_helper.from_array(values, entry.name))
    onnx.save(model, str(tmp_path / "other.onnx"))
    with pytest.raises(ExportError, match=r"tensors with other\.onnx: different networks"):
        trace(tmp_path / "other.onnx", exported.files["fp32"], crops[0])
