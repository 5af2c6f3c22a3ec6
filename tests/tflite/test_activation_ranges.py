"""Ranges of activations are those of each tensor, also where an operator reuses the memory of its input."""

from pathlib import Path

import numpy as np
import pytest

from distill.errors import ExportError
from distill.tflite.activation_ranges import activation_ranges, with_ranges
from distill.tflite.builder import constant
from distill.tflite.model import Model, Operator, Quantization, SubGraph, Tensor
from distill.tflite.serialization import read_model, write_model

IMAGE = np.array([[[[-2.0], [1.0]]]], np.float32)


def noted(name: str, shape: tuple[int, ...] = (1, 1, 2, 1)) -> Tensor:
    return Tensor("FLOAT32", shape, name, quantization=Quantization(extra={"min": (-9.0,), "max": (9.0,)}))


@pytest.fixture
def blob() -> bytes:
    """x + 1, doubled by adding it to itself: the second sum may lie in the memory of the first."""
    image, first, second = noted("image"), noted("first"), noted("second")
    bias = constant("FLOAT32", (1,), [1.0])
    operators = [Operator("ADD", [image, bias], [first]), Operator("ADD", [first, first], [second])]
    return write_model(Model([SubGraph([image], [second], operators)]))


def test_every_tensor_has_its_own_range(blob: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(blob)
    ranges = activation_ranges(path, [IMAGE, IMAGE + 1])
    assert ranges["image"] == (-2, 2)
    assert ranges["first"] == (-1, 3)
    assert ranges["second"] == (-2, 6)


def test_ranges_are_written(blob: bytes) -> None:
    ranges = {"image": (-2.0, 2.0), "first": (-1.0, 3.0), "second": (-2.0, 6.0)}
    tensors = {tensor.name: tensor for tensor in read_model(with_ranges(blob, ranges)).main.all_tensors()}
    for name, (low, high) in ranges.items():
        found = tensors[name].quantization
        assert found is not None
        assert (found.extra["min"], found.extra["max"]) == ((low,), (high,))
    with pytest.raises(ExportError, match="no range was measured for the activation second"):
        with_ranges(blob, {"image": (0.0, 1.0), "first": (0.0, 1.0)})
