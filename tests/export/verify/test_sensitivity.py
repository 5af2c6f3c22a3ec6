import onnx
import pytest
from onnx import numpy_helper

from distill.export.pipeline import ExportResult
from distill.export.verify.sensitivity import sensitivity


def test_exact_kinds_cost_nothing(exported: ExportResult, crops) -> None:
    assert sensitivity(exported.files["onnx"], crops, "none") == []


@pytest.mark.slow
def test_activations_cost_more_than_weights_and_half_precision_least(exported: ExportResult, crops) -> None:
    def skip(module: str) -> bool:  # most layers of the backbone, each of which takes a run
        return module.startswith("backbone.") and not module.startswith("backbone.stages.1")

    found = {how: sensitivity(exported.files["onnx"], crops[:1], how, skip) for how in ("half", "weights", "all")}
    assert all(len(costs) > 10 for costs in found.values())
    total = {how: sum(cost.mean_px for cost in costs) for how, costs in found.items()}
    assert 0 < total["half"] < total["weights"] < total["all"]
    costs = [cost.mean_px for cost in found["all"]]
    assert costs == sorted(costs, reverse=True)
    assert "head.heatmap" in {cost.module for cost in found["weights"]}


def test_a_layer_with_one_huge_weight_is_found(exported: ExportResult, crops, tmp_path) -> None:
    """Its channel's other weights vanish in 8 bits, which is what the tool is for."""
    model = onnx.load(str(exported.files["onnx"]))
    conv = next(node for node in model.graph.node if "/net/neck/out/out.1/out.1.0/Conv" in node.output[0] or node.output[0].startswith("/net/neck/out/out.1/out.1.0"))  # noqa: E501  # fmt: skip
    entry = next(entry for entry in model.graph.initializer if entry.name == conv.input[1])
    weights = numpy_helper.to_array(entry).copy()
    weights[:, 0] *= 1000
    entry.CopyFrom(numpy_helper.from_array(weights, entry.name))
    onnx.save(model, str(tmp_path / "spoiled.onnx"))
    only = {"neck.out.1.0", "head.heatmap", "neck.lateral.0"}
    costs = sensitivity(tmp_path / "spoiled.onnx", crops[:1], "weights", lambda module: module not in only)
    assert {cost.module for cost in costs} == only
    assert costs[0].module == "neck.out.1.0"
