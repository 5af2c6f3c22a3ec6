from pathlib import Path

import numpy as np
import onnx
import pytest

from distill.errors import ExportError
from distill.export.pipeline import ExportResult
from distill.export.rewrites.rewrite import export_form
from distill.opcheck.module_map import module_map
from distill.tflite.serialization import read_model


def test_every_operator_belongs_to_a_module_that_exists(exported: ExportResult, net, crops) -> None:
    model = read_model(exported.files["fp32"])
    found = module_map(model, exported.files["onnx"], crops[0])
    assert set(found) <= {name for name, _ in export_form(net).named_modules()}
    pairs = list(zip(model.operators, found, strict=True))
    assert "head.heatmap" in {module for operator, module in pairs if operator.op == "CONV_2D"}


def test_a_convolution_fused_with_its_activation_keeps_its_name(exported: ExportResult, crops) -> None:
    model = read_model(exported.files["fp32"])
    found = module_map(model, exported.files["onnx"], crops[0])
    ops = {module: operator.op for operator, module in zip(model.operators, found, strict=True)}
    assert ops["neck.out.1.0"] == "CONV_2D"
    assert "neck.out.1.2" not in ops  # the ReLU behind it


def test_both_methods_agree(exported: ExportResult, crops) -> None:
    """Order and sizes are a guess; values are not."""
    model = read_model(exported.files["fp32"])
    by_order, by_values = (module_map(model, exported.files["onnx"], image) for image in (None, crops[0]))
    exact = [(a, b) for a, b in zip(by_order, by_values, strict=True) if a is not None and not a.startswith("between")]
    assert len(exact) > 0.8 * len(model.operators)
    assert sum(a == b for a, b in exact) > 0.8 * len(exact)


def test_files_of_different_networks_are_noticed(exported: ExportResult, crops, tmp_path: Path) -> None:
    model = onnx.load(str(exported.files["onnx"]))
    for entry in model.graph.initializer:
        if entry.data_type == onnx.TensorProto.FLOAT:
            values = np.random.default_rng(0).normal(size=entry.dims).astype(np.float32)
            entry.CopyFrom(onnx.numpy_helper.from_array(values, entry.name))
    onnx.save(model, str(tmp_path / "other.onnx"))
    with pytest.raises(ExportError, match=r"tensors with other\.onnx: different networks"):
        module_map(read_model(exported.files["fp32"]), tmp_path / "other.onnx", crops[0])
