"""Shared PADs are duplicated without a change of the outputs."""

import numpy as np
import pytest

from distill.bench.runners import load_tflite
from distill.tflite.flatbuffer import Table
from distill.tflite.model import Buffer, Model, Operator, SubGraph, Tensor
from distill.tflite.pads import separate_pads, shared_pads
from distill.tflite.serialization import read_model, write_model

SIZE, CHANNELS = 6, 4
VALID = {"padding": 1, "stride_w": 1, "stride_h": 1}


def constant(name: str, values: np.ndarray) -> Tensor:
    return Tensor(values.dtype.name.upper(), values.shape, name, Buffer(values.tobytes()))


def two_convolutions(other_reader: str = "") -> bytes:
    """A PAD that two convolutions read; `output`: it is an output of the graph too; or the name of a third reader."""
    rng = np.random.default_rng(0)
    image = Tensor("FLOAT32", (1, SIZE, SIZE, CHANNELS), "image")
    padded = Tensor("FLOAT32", (1, SIZE + 2, SIZE + 2, CHANNELS), "padded")
    dense, depthwise = (Tensor("FLOAT32", image.shape, name) for name in ("dense", "depthwise"))
    weights, planes = (
        constant(name, rng.normal(size=(count, 3, 3, CHANNELS)).astype(np.float32))
        for name, count in (("weights", CHANNELS), ("planes", 1))
    )
    bias = constant("bias", np.ones(CHANNELS, np.float32))
    margins = constant("margins", np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    per_channel = Table("DepthwiseConv2DOptions", {**VALID, "depth_multiplier": 1})
    nodes = [
        Operator("PAD", [image, margins], [padded], Table("PadOptions")),
        Operator("CONV_2D", [padded, weights, bias], [dense], Table("Conv2DOptions", VALID)),
        Operator("DEPTHWISE_CONV_2D", [padded, planes, bias], [depthwise], per_channel),
    ]
    outputs = [dense, depthwise]
    if other_reader == "output":
        outputs.append(padded)
    elif other_reader:
        outputs.append(Tensor("FLOAT32", padded.shape, "other"))
        nodes.append(Operator(other_reader, [padded], outputs[-1:]))
    return write_model(Model([SubGraph([image], outputs, nodes)]))


def run(blob: bytes) -> list[np.ndarray]:
    interpreter = load_tflite(blob, 1)
    image = np.random.default_rng(1).normal(size=(1, SIZE, SIZE, CHANNELS)).astype(np.float32)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]).copy() for detail in interpreter.get_output_details()]


def test_each_convolution_gets_a_pad_and_the_outputs_are_bit_identical() -> None:
    blob = two_convolutions()
    separate = separate_pads(blob)
    names = [node.op for node in read_model(separate).main.operators]
    assert names == ["PAD", "CONV_2D", "PAD", "DEPTHWISE_CONV_2D"]
    assert not shared_pads(read_model(separate).main)
    for before, after in zip(run(blob), run(separate), strict=True):
        np.testing.assert_array_equal(before, after)
    assert separate_pads(separate) == separate


@pytest.mark.parametrize("reader", ["output", "RELU"])
def test_a_pad_that_is_computed_anyway_stays_shared(reader: str) -> None:
    """A copy would add work where the padded tensor is needed in memory for something else."""
    blob = two_convolutions(reader)
    assert separate_pads(blob) == blob
