from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.bench.complexity import complexity
from distill.bench.machine import convolution
from distill.bench.runners import load_tflite
from distill.errors import CheckpointError
from distill.tflite.builder import Node, fixed, integers, side, write
from distill.tflite.graph import TFLiteGraph, split_decode, tflite_complexity, uncounted

ROOT = Path(__file__).parents[2]
STUDENT = ROOT / "checkpoints/student_128_fp16.tflite"
# How far the work of a student's TFLite file may be from that of its PyTorch net. Convolutions that both have are
# counted alike to the last one; an export form adds small products (+0.5 %) or merges layers (-3.4 %).
MARGIN = 0.05


def f(*shape: int):
    return side("FLOAT32", shape)


def w(*shape: int):
    return fixed("FLOAT32", shape)


NODES = {
    "convolution": (Node("CONV_2D", (f(1, 8, 8, 3), w(5, 3, 3, 3), w(5)), (f(1, 4, 4, 5),)), 16 * 5 * 27, 5 * 27 + 5),
    "groups": (Node("CONV_2D", (f(1, 8, 8, 4), w(6, 1, 1, 2), w(6)), (f(1, 8, 8, 6),)), 64 * 6 * 2, 6 * 2 + 6),
    "depthwise": (
        Node("DEPTHWISE_CONV_2D", (f(1, 8, 8, 4), w(1, 3, 3, 8), w(8)), (f(1, 8, 8, 8),)), 64 * 8 * 9, 72 + 8,
    ),
    "dense": (Node("FULLY_CONNECTED", (f(2, 10), w(7, 10), w(7)), (f(2, 7),)), 2 * 7 * 10, 77),
    "product": (Node("BATCH_MATMUL", (f(3, 4, 5), f(3, 5, 6)), (f(3, 4, 6),)), 3 * 4 * 5 * 6, 0),
    "transposed product": (Node("BATCH_MATMUL", (f(3, 5, 4), f(3, 5, 6)), (f(3, 4, 6),)), 3 * 4 * 5 * 6, 0),
    "one for all": (Node("BATCH_MATMUL", (w(1, 4, 5), f(3, 5, 6)), (f(3, 4, 6),)), 3 * 4 * 5 * 6, 20),
    "transposed convolution": (
        Node("TRANSPOSE_CONV", (integers(1, 8, 8, 5), w(5, 2, 2, 3), f(1, 4, 4, 3)), (f(1, 8, 8, 5),)),
        4 * 4 * 3 * 5 * 4,
        5 * 4 * 3,
    ),
    "sum": (Node("ADD", (f(1, 4), w(4)), (f(1, 4),)), 0, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
def test_operators_are_counted_by_hand(name: str, tmp_path: Path) -> None:
    node, macs, parameters = NODES[name]
    path = tmp_path / "net.tflite"
    path.write_bytes(write(node))
    cost = tflite_complexity(TFLiteGraph.read(path))
    assert (cost.macs, cost.parameters) == (macs, parameters)
    assert cost.bytes == path.stat().st_size


def test_an_integer_bias_is_a_parameter_and_a_shape_is_not(tmp_path: Path) -> None:
    inputs = (side("INT8", (1, 8, 8, 3)), fixed("INT8", (5, 3, 3, 3)), replace(fixed("INT32", (5,)), quantised=(1, 0)))
    path = tmp_path / "int8.tflite"
    path.write_bytes(write(Node("CONV_2D", inputs, (side("INT8", (1, 8, 8, 5)),))))
    assert tflite_complexity(TFLiteGraph.read(path)).parameters == 5 * 27 + 5


def test_custom_operators_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(write(Node("CUSTOM:Warp", (f(1, 4),), (f(1, 4),))))
    assert uncounted(TFLiteGraph.read(path)) == ["Warp"]


def test_facemesh_costs_what_others_measured(facemesh: Path) -> None:
    """605 k parameters and 35 M MACs, counted by another program."""
    graph = TFLiteGraph.read(facemesh)
    cost = tflite_complexity(graph)
    assert cost.parameters == pytest.approx(605e3, rel=0.01)
    assert cost.macs == pytest.approx(35e6, rel=0.01)
    assert graph.describe_input() == "192x192x3 float32"
    assert split_decode(graph) is None, "it regresses its points"


def test_a_convolution_counts_the_same_in_pytorch_and_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(convolution(16, 3, 3))
    ours, theirs = complexity(torch.nn.Conv2d(3, 3, 3, padding=1), 16), tflite_complexity(TFLiteGraph.read(path))
    assert (ours.macs, ours.parameters) == (theirs.macs, theirs.parameters)


def test_the_file_and_the_pytorch_net_agree() -> None:
    from distill.models.checkpoint import load_model

    net, spec = load_model(STUDENT.with_name("student_128.safetensors"))
    ours, theirs = complexity(net, spec.crop.size), tflite_complexity(TFLiteGraph.read(STUDENT))
    assert theirs.macs == pytest.approx(ours.macs, rel=MARGIN)
    assert theirs.bytes < ours.bytes, "half precision"
    assert theirs.parameters == pytest.approx(ours.parameters, rel=MARGIN)


def run(model: str | Path | bytes, given: np.ndarray) -> np.ndarray:
    interpreter = load_tflite(model, 1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy()


def test_network_and_decode_make_the_whole() -> None:
    """A cut in the wrong place, or one that lost a weight, would time something else."""
    graph = TFLiteGraph.read(STUDENT)
    halves = split_decode(graph)
    assert halves is not None
    assert halves.maps == (1, 32, 32, 51)
    image = np.random.default_rng(0).random((1, 128, 128, 3), np.float32)
    maps = run(halves.net, image)
    np.testing.assert_allclose(run(halves.decode, maps), run(STUDENT, image), atol=1e-6)
    assert len(halves.decode) < 0.1 * len(halves.net)


def test_a_damaged_file_is_an_error_and_no_crash(tmp_path: Path) -> None:
    blob, path, rng = STUDENT.read_bytes(), tmp_path / "net.tflite", np.random.default_rng(0)
    with pytest.raises(CheckpointError, match="cannot be read"):
        TFLiteGraph.read(path)
    path.write_bytes(blob[: len(blob) // 3])
    with pytest.raises(CheckpointError, match="damaged"):
        TFLiteGraph.read(path)
    node = bytearray(write(NODES["convolution"][0]))
    for _ in range(300):
        mutant = bytearray(node)
        for place in rng.integers(8, len(mutant), 3):
            mutant[place] = rng.integers(256)
        path.write_bytes(mutant)
        try:
            tflite_complexity(TFLiteGraph.read(path))
        except CheckpointError:
            continue
