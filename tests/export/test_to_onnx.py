from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from distill.errors import ExportError
from distill.export.pipeline import ExportResult
from distill.export.to_onnx import check_graph, export_onnx, has_confidence
from distill.geometry import CropSpec
from distill.models import create_model
from distill.spec import ModelSpec, read_sidecar


class Maps(NamedTuple):
    landmarks: Tensor


def test_only_networks_with_heatmaps_have_a_confidence(net: nn.Module, spec: ModelSpec) -> None:
    net.train()
    try:
        assert has_confidence(net, spec)
        assert net.training
    finally:
        net.eval()
    efld = create_model("efld", "five")
    assert not has_confidence(efld, ModelSpec("efld", "five", 5, CropSpec(128)))


def test_one_input_landmarks_with_their_confidence_and_a_sidecar(exported: ExportResult, spec: ModelSpec) -> None:
    model = onnx.load(str(exported.files["onnx"]))
    check_graph(model, spec)
    assert [value.name for value in model.graph.output] == ["landmarks", "landmarks_confidence"]
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props}["scheme"] == "inner51"
    assert read_sidecar(exported.files["onnx"]) == spec


def test_a_graph_has_the_requested_batch(tmp_path: Path) -> None:
    net, spec = create_model("efld", "five", image_size=32), ModelSpec("efld", "five", 5, CropSpec(32))
    model = onnx.load(str(export_onnx(net, spec, tmp_path / "net.onnx", batch=3)))
    check_graph(model, spec, 3)
    with pytest.raises(ExportError, match=r"\[3, 32, 32, 3\].*not.*\[1, 32, 32, 3\]"):
        check_graph(model, spec)


def test_a_spec_of_other_points_is_refused(exported: ExportResult, spec: ModelSpec) -> None:
    with pytest.raises(ExportError, match=r"\[1, 51, 2\].*not.*\[1, 68, 2\]"):
        check_graph(onnx.load(str(exported.files["onnx"])), replace(spec, n_points=68))


def test_a_dead_node_is_refused(exported: ExportResult, spec: ModelSpec) -> None:
    model = onnx.load(str(exported.files["onnx"]))
    model.graph.node.append(helper.make_node("Relu", ["image"], ["unused"], name="leftover"))
    with pytest.raises(ExportError, match="1 nodes its output does not need, first Relu leftover"):
        check_graph(model, spec)


def test_another_output_is_refused(exported: ExportResult, spec: ModelSpec) -> None:
    model = onnx.load(str(exported.files["onnx"]))
    model.graph.output.append(helper.make_tensor_value_info("maps", TensorProto.FLOAT, [1, 51, 16, 16]))
    with pytest.raises(ExportError, match="not"):
        check_graph(model, spec)


def test_a_layer_without_onnx_form_leaves_nothing_behind(spec: ModelSpec, tmp_path: Path) -> None:
    class Odd(nn.Module):
        def forward(self, images: Tensor) -> Maps:
            return Maps(torch.special.bessel_j0(images))

    with pytest.raises(ExportError, match="no ONNX form"):
        export_onnx(Odd(), spec, tmp_path / "odd.onnx")
    assert list(tmp_path.iterdir()) == []
