"""ReLU moves into the layer before it, and only where nobody else reads the layer."""

import numpy as np
import pytest

from distill.tflite.builder import constant, variable
from distill.tflite.flatbuffer import Table
from distill.tflite.fuse_activations import fuse_relu
from distill.tflite.interpreter import interpreter_class
from distill.tflite.model import Model, Operator, SubGraph
from distill.tflite.serialization import read_model, write_model


def layer_and_relu(branch: bool = False, view: bool = False) -> bytes:
    """A dense layer, then a view or not, a ReLU and a sum; with `branch`, the sum reads the layer too."""
    entry, dense, flat, positive, total = (variable("FLOAT32", (1, 4)) for _ in range(5))
    for number, tensor in enumerate((entry, dense, flat, positive, total)):
        tensor.name = f"t{number}"
    weights = constant("FLOAT32", (4, 4), np.random.default_rng(0).normal(size=16))
    nodes = [Operator("FULLY_CONNECTED", [entry, weights, None], [dense], Table("FullyConnectedOptions"))]
    source = dense
    if view:
        nodes.append(Operator("RESHAPE", [dense, constant("INT32", (2,), [1, 4])], [flat], Table("ReshapeOptions")))
        source = flat
    nodes.append(Operator("RELU", [source], [positive]))
    nodes.append(Operator("ADD", [positive, source if branch else entry], [total], Table("AddOptions")))
    return write_model(Model([SubGraph([entry], [total], nodes)]))


def run(blob: bytes) -> np.ndarray:
    interpreter = interpreter_class()(model_content=blob)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array([[1, -2, 3, -4]], np.float32))
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


@pytest.mark.parametrize("view", [False, True])
def test_the_operator_goes_and_the_numbers_stay(view: bool) -> None:
    before = layer_and_relu(view=view)
    after = fuse_relu(before)
    assert "RELU" not in [operator.op for operator in read_model(after).operators]
    np.testing.assert_array_equal(run(after), run(before))


def test_a_layer_that_others_read_keeps_its_negative_numbers() -> None:
    before = layer_and_relu(branch=True)
    after = fuse_relu(before)
    assert "RELU" in [operator.op for operator in read_model(after).operators]
    np.testing.assert_array_equal(run(after), run(before))
