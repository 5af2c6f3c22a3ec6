"""The axis of SPLIT becomes a scalar, and nothing else changes."""

import numpy as np

from distill.tflite.interpreter import interpreter_class
from distill.tflite.scalar_axes import scalar_axes
from distill.tflite.serialization import read_model
from tests.support.split_model import halves


def run(blob: bytes) -> np.ndarray:
    interpreter = interpreter_class()(model_content=blob)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array([[1, -2, 3, -4]], np.int32))
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def test_the_axis_is_a_scalar_of_known_rank_and_other_readers_keep_the_vector() -> None:
    """OpenVINO takes an empty shape for a vector of one where a signature says so or the rank is not known."""
    before = halves()
    after = scalar_axes(before)
    split, moved, _ = read_model(after).operators
    axis = split.inputs[0]
    assert axis is not None
    assert axis.shape == ()
    assert axis.extra == {"has_rank": True}
    assert moved.inputs[1] is not None
    assert moved.inputs[1].shape == (1,)
    np.testing.assert_array_equal(run(after), [[3, -7]])
    np.testing.assert_array_equal(run(before), run(after))


def test_a_file_without_such_an_axis_keeps_its_bytes() -> None:
    once = scalar_axes(halves())
    assert scalar_axes(once) is once
