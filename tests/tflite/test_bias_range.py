"""A channel without weights keeps its bias in 8 bits, and what the layer computes stays the same."""

import numpy as np
import pytest

from distill.tflite.bias_range import with_room_for_biases
from distill.tflite.builder import constant, single_op_model, variable
from distill.tflite.interpreter import interpreter_class
from distill.tflite.model import Operator
from distill.tflite.serialization import read_model

RANGES = {"t0": (0.0, 4.0)}
BIAS = [5.5, -3.0, 0.0]


def dense(weights: list[float]) -> bytes:
    """A dense layer of two inputs and three channels."""
    inputs = [variable("FLOAT32", (1, 2)), constant("FLOAT32", (3, 2), weights), constant("FLOAT32", (3,), BIAS)]
    return single_op_model(Operator("FULLY_CONNECTED", inputs, [variable("FLOAT32", (1, 3))]))


def run(blob: bytes) -> np.ndarray:
    interpreter = interpreter_class()(model_content=blob)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array([[4.0, 4.0]], np.float32))
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def test_a_channel_without_weights_has_room_for_its_bias() -> None:
    """int8 Lite-HRNet lost the constants of the channels that a block leaves unchanged."""
    before = dense([0, 0, 0, -1e-12, 0, 0])
    after = with_room_for_biases(before, RANGES)
    tensor = read_model(after).operators[0].inputs[1]
    assert tensor is not None
    values = tensor.values()
    assert values is not None
    scales = np.abs(values).max(axis=1) / 127
    steps = 4.0 / 255 * scales[:2]
    assert (np.abs(BIAS[:2]) / steps < 2**31).all()
    assert values[1, 1] < 0
    assert (values[2] == 0).all()
    np.testing.assert_allclose(run(after), run(before), rtol=5e-5)


@pytest.mark.parametrize("ranges", [RANGES, {}, {"t0": (0.0, 0.0)}])
def test_a_file_with_room_for_its_biases_keeps_its_bytes(ranges: dict[str, tuple[float, float]]) -> None:
    blob = dense([1, 2, 3, 4, 0, 0])
    assert with_room_for_biases(blob, ranges) is blob
