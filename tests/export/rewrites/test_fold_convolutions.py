"""Linear layers become one: the same numbers from fewer of them, and nothing else touched."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from distill.export.rewrites.fold_convolutions import compose


class Narrow(nn.Module):
    """12 -> 4 -> (12, 16): the 4 are joined away only where that multiplies less."""

    def __init__(self, middle: int, act: nn.Module, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(12, middle, 1), act)
        self.second, self.third = nn.Conv2d(middle, 12, 1, bias=False), nn.Conv2d(middle, 16, 1, stride=stride)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(x)
        return self.second(x).relu(), self.third(x).relu()


def _graph(net: nn.Module, path: Path) -> onnx.ModelProto:
    torch.onnx.export(net.eval(), (torch.rand(1, 12, 8, 8),), str(path), opset_version=16, dynamo=False)
    return onnx.load(str(path))


def _run(model: onnx.ModelProto, image: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {model.graph.input[0].name: image})


def _convolutions(model: onnx.ModelProto) -> int:
    return sum(node.op_type == "Conv" for node in model.graph.node)


def test_a_linear_layer_is_joined_into_all_its_readers(tmp_path: Path) -> None:
    model = _graph(Narrow(48, nn.Identity()), tmp_path / "net.onnx")
    image = np.random.default_rng(0).standard_normal((1, 12, 8, 8)).astype(np.float32)
    expected = _run(model, image)
    assert _convolutions(model) == 3
    joined = compose(model)
    onnx.checker.check_model(joined, full_check=True)
    assert _convolutions(joined) == 2
    for found, wanted in zip(_run(joined, image), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    names = {name for node in joined.graph.node for name in node.input}
    assert all(entry.name in names for entry in joined.graph.initializer), "weights of joined layers stay in the file"


@pytest.mark.parametrize(
    "net",
    [
        pytest.param(Narrow(4, nn.Identity()), id="a bottleneck saves work: joining it would cost more"),
        pytest.param(Narrow(48, nn.ReLU()), id="an activation lies between"),
        pytest.param(Narrow(48, nn.Identity(), stride=2), id="a reader that skips positions"),
    ],
)
def test_what_must_stay_stays(net: nn.Module, tmp_path: Path) -> None:
    model = _graph(net, tmp_path / "net.onnx")
    before = model.SerializeToString()
    assert compose(model).SerializeToString() == before


def test_a_map_that_is_an_output_stays(tmp_path: Path) -> None:
    class Shown(Narrow):
        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            x = self.first(x)
            return x, self.second(x), self.third(x)

    model = _graph(Shown(48, nn.Identity()), tmp_path / "net.onnx")
    before = model.SerializeToString()
    assert compose(model).SerializeToString() == before
