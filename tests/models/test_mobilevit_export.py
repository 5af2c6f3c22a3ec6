"""The export form of timm's MobileViT networks, v1 and v2: equal to them, with at most four axes and old operators."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import timm
import torch
from timm.models.mobilevit import MobileVitBlock, MobileVitV2Block
from torch import Tensor, nn

from distill.errors import ConfigError, ExportError
from distill.export.to_onnx import OPSET, export_onnx
from distill.export.to_tflite import export_tflite
from distill.geometry import CropSpec
from distill.inference.load import open_backend
from distill.models.mobilevit_export import rewrite_mobilevit
from distill.opcheck.check import check_model
from distill.opcheck.tables import op_table
from distill.spec import ModelSpec
from distill.tflite.releases import parse_version
from tests.support.environments import present_lane

NETWORKS = ("mobilevit_xxs", "mobilevit_s", "mobilevitv2_050", "mobilevitv2_100")
# At 80 px the maps of strides 16 and 32 have 5 and 3 rows, which patches of 2 rows do not divide; at 32 px the last
# map is 1 x 1.
SIZES = ((64, 64), (80, 80), (48, 80), (32, 32))
# Operators of ONNX and what they become in TFLite; None leaves no operator.
TFLITE = {
    "Add": "ADD", "AveragePool": "AVERAGE_POOL_2D", "Cast": "CAST", "Concat": "CONCATENATION", "Constant": None,
    "Conv": "CONV_2D", "Div": "DIV", "Flatten": "RESHAPE", "Gemm": "FULLY_CONNECTED", "GlobalAveragePool": "MEAN",
    "Identity": None, "MatMul": "BATCH_MATMUL", "Mul": "MUL", "Pow": "POW", "ReduceMean": "MEAN", "Relu": "RELU",
    "Reshape": "RESHAPE", "Resize": "RESIZE_BILINEAR", "Shape": "SHAPE", "Sigmoid": "LOGISTIC",
    "Slice": "STRIDED_SLICE", "Softmax": "SOFTMAX", "Sqrt": "SQRT", "Sub": "SUB", "Transpose": "TRANSPOSE",
}  # fmt: skip


def randomised(net: nn.Module) -> nn.Module:
    """Return the network in eval mode with random scales and shifts, so that one that is left out shows."""
    for name, parameter in net.named_parameters():
        if parameter.ndim == 1:
            nn.init.uniform_(parameter, *((0.5, 1.5) if name.endswith("weight") else (-0.2, 0.2)))
    return net.eval()


@pytest.fixture(scope="module", params=NETWORKS)
def net(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return randomised(timm.create_model(request.param, pretrained=False))


@pytest.mark.parametrize("size", SIZES)
def test_the_export_form_equals_the_network(net: nn.Module, size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        stock, plain = net.forward_features(images), rewrite_mobilevit(net).forward_features(images)
    torch.testing.assert_close(plain, stock, rtol=0, atol=1e-5 * float(stock.abs().max()))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_the_graph_has_four_axes_and_operators_of_2_11(net: nn.Module) -> None:
    """At a size at which timm resizes the maps; attention of v1 as it is has five axes, the unfold of v2 six."""
    file = io.BytesIO()
    torch.onnx.export(rewrite_mobilevit(net), (torch.rand(1, 3, 80, 80),), file, opset_version=OPSET, dynamo=False)
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(file.getvalue()), data_prop=True).graph
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in (*graph.value_info, *graph.output)}
    made = {name for node in graph.node for name in node.output}
    assert made <= set(ranks)
    assert max(ranks.values()) == 4
    names = {TFLITE[node.op_type] for node in graph.node} - {None}
    assert all(parse_version(op_table()[name, 1].tflite) <= parse_version("2.11.0") for name in names)


def test_the_network_itself_is_left_alone(net: nn.Module) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    types = [type(module) for module in net.modules()]
    rewritten = rewrite_mobilevit(net.train())
    assert net.training
    assert not rewritten.training
    net.eval()
    assert [type(module) for module in net.modules()] == types
    assert not any(isinstance(module, MobileVitBlock | MobileVitV2Block) for module in rewritten.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_network_without_such_blocks_is_refused() -> None:
    with pytest.raises(ConfigError, match="no MobileViT block of timm in this Conv2d"):
        rewrite_mobilevit(nn.Conv2d(3, 8, 1))


def block(**options: object) -> nn.Module:
    torch.manual_seed(0)
    return MobileVitBlock(16, 16, **({"transformer_dim": 32, "transformer_depth": 1, "patch_size": 2} | options))


@pytest.mark.parametrize(
    "options",
    [
        {"no_fusion": True},
        {"patch_size": 3},
        {"num_heads": 8, "transformer_depth": 3},
        {"stride": 2, "no_fusion": True},
    ],
    ids=str,
)
def test_blocks_of_other_options(options: dict[str, object]) -> None:
    stock = randomised(block(**options))
    x = torch.rand(2, 16, 10, 7)
    with torch.no_grad():
        torch.testing.assert_close(rewrite_mobilevit(stock)(x), stock(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["ls1", "attn.q_norm", "mlp.norm"])
def test_parts_that_no_network_of_timm_has_are_refused(name: str) -> None:
    odd = block()
    odd.transformer[0].set_submodule(name, nn.LayerNorm(8))
    with pytest.raises(ExportError, match=rf"{name} \(LayerNorm\) of a MobileViT transformer"):
        rewrite_mobilevit(odd)


class OneBlock(nn.Module):
    """Five points from one block on a 5 x 5 map, which timm resizes to 6 x 6."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, 4, 1), block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)
        )

    def forward(self, images: Tensor) -> SimpleNamespace:
        return SimpleNamespace(landmarks=self.body(images).reshape(-1, 5, 2))


def test_a_converted_block_of_v1_computes_the_same(tmp_path: Path) -> None:
    """Axes that a converter takes for others show here alone; a whole network takes three times as long."""
    net, lane = randomised(OneBlock()), present_lane()
    spec = ModelSpec("one_block", "five", 5, CropSpec(size=20), {})
    path = export_onnx(net, spec, tmp_path / "net.onnx")
    file = export_tflite(path, spec, tmp_path, ("fp32",), "net", lane=lane)["fp32"]
    report = check_model(file, "2.11.0", path)
    assert report.failures == []
    assert max(row.max_rank for row in report.rows) == 4
    crop = np.random.default_rng(0).random((1, 20, 20, 3), np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(crop).permute(0, 3, 1, 2)).landmarks
    np.testing.assert_allclose(open_backend(str(file))(crop), expected, atol=1e-5)
