from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.bench.complexity import complexity
from distill.bench.machine import convolution
from distill.errors import CheckpointError
from distill.tflite.builder import constant, integers, single_op_model, variable
from distill.tflite.complexity import custom_operators, describe_input, tflite_complexity
from distill.tflite.model import Operator, Quantization
from distill.tflite.serialization import read_model

ROOT = Path(__file__).parents[2]
STUDENT = ROOT / "checkpoints/student_128_fp16.tflite"
# How far the work of a student's TFLite file may be from that of its PyTorch net. Convolutions that both have are
# counted alike to the last one; an export form adds small products (+0.5 %) or merges layers (-3.4 %).
MARGIN = 0.05


def f(*shape: int):
    return variable("FLOAT32", shape)


def w(*shape: int):
    return constant("FLOAT32", shape)


NODES = {
    "convolution": (
        Operator("CONV_2D", (f(1, 8, 8, 3), w(5, 3, 3, 3), w(5)), (f(1, 4, 4, 5),)), 16 * 5 * 27, 5 * 27 + 5,
    ),
    "groups": (Operator("CONV_2D", (f(1, 8, 8, 4), w(6, 1, 1, 2), w(6)), (f(1, 8, 8, 6),)), 64 * 6 * 2, 6 * 2 + 6),
    "depthwise": (
        Operator("DEPTHWISE_CONV_2D", (f(1, 8, 8, 4), w(1, 3, 3, 8), w(8)), (f(1, 8, 8, 8),)), 64 * 8 * 9, 72 + 8,
    ),
    "dense": (Operator("FULLY_CONNECTED", (f(2, 10), w(7, 10), w(7)), (f(2, 7),)), 2 * 7 * 10, 77),
    "product": (Operator("BATCH_MATMUL", (f(3, 4, 5), f(3, 5, 6)), (f(3, 4, 6),)), 3 * 4 * 5 * 6, 0),
    "transposed product": (Operator("BATCH_MATMUL", (f(3, 5, 4), f(3, 5, 6)), (f(3, 4, 6),)), 3 * 4 * 5 * 6, 0),
    "one for all": (Operator("BATCH_MATMUL", (w(1, 4, 5), f(3, 5, 6)), (f(3, 4, 6),)), 3 * 4 * 5 * 6, 20),
    "transposed convolution": (
        Operator("TRANSPOSE_CONV", (integers(1, 8, 8, 5), w(5, 2, 2, 3), f(1, 4, 4, 3)), (f(1, 8, 8, 5),)),
        4 * 4 * 3 * 5 * 4,
        5 * 4 * 3,
    ),
    "sum": (Operator("ADD", (f(1, 4), w(4)), (f(1, 4),)), 0, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
def test_operators_are_counted_by_hand(name: str, tmp_path: Path) -> None:
    node, macs, parameters = NODES[name]
    path = tmp_path / "net.tflite"
    path.write_bytes(single_op_model(node))
    cost = tflite_complexity(read_model(path))
    assert (cost.macs, cost.parameters) == (macs, parameters)
    assert cost.bytes == path.stat().st_size


def test_an_integer_bias_is_a_parameter_and_a_shape_is_not(tmp_path: Path) -> None:
    inputs = (
        variable("INT8", (1, 8, 8, 3)),
        constant("INT8", (5, 3, 3, 3)),
        replace(constant("INT32", (5,)), quantization=Quantization((1.0,), (0,))),
    )
    path = tmp_path / "int8.tflite"
    path.write_bytes(single_op_model(Operator("CONV_2D", inputs, (variable("INT8", (1, 8, 8, 5)),))))
    assert tflite_complexity(read_model(path)).parameters == 5 * 27 + 5


def test_custom_operators_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(single_op_model(Operator("CUSTOM:Warp", (f(1, 4),), (f(1, 4),))))
    assert custom_operators(read_model(path)) == ["Warp"]


def test_facemesh_costs_what_others_measured(facemesh: Path) -> None:
    """605 k parameters and 35 M MACs, counted by another program."""
    model = read_model(facemesh)
    cost = tflite_complexity(model)
    assert cost.parameters == pytest.approx(605e3, rel=0.01)
    assert cost.macs == pytest.approx(35e6, rel=0.01)
    assert describe_input(model) == "192x192x3 float32"


def test_a_convolution_counts_the_same_in_pytorch_and_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(convolution(16, 3, 3))
    pytorch, tflite = complexity(torch.nn.Conv2d(3, 3, 3, padding=1), 16), tflite_complexity(read_model(path))
    assert (pytorch.macs, pytorch.parameters) == (tflite.macs, tflite.parameters)


def test_the_file_and_the_pytorch_net_agree() -> None:
    """EFLD, of which the export changes no layer."""
    from distill.models.checkpoint import load_model

    file = STUDENT.with_name("efld_51_128_fp16.tflite")
    net, spec = load_model(STUDENT.with_name("efld_51_128.safetensors"))
    pytorch, tflite = complexity(net, spec.crop.size), tflite_complexity(read_model(file))
    assert tflite.macs == pytest.approx(pytorch.macs, rel=MARGIN)
    assert tflite.bytes < pytorch.bytes, "half precision"
    assert tflite.parameters == pytest.approx(pytorch.parameters, rel=MARGIN)


def test_a_damaged_file_is_an_error_and_no_crash(tmp_path: Path) -> None:
    blob, path, rng = STUDENT.read_bytes(), tmp_path / "net.tflite", np.random.default_rng(0)
    path.write_bytes(blob[: len(blob) // 3])
    with pytest.raises(CheckpointError, match="damaged"):
        read_model(path)
    node = bytearray(single_op_model(NODES["convolution"][0]))
    for _ in range(300):
        mutant = bytearray(node)
        for position in rng.integers(8, len(mutant), 3):
            mutant[position] = rng.integers(256)
        path.write_bytes(mutant)
        try:
            tflite_complexity(read_model(path))
        except CheckpointError:
            continue
