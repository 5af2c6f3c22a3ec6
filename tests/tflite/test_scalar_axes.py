"""The axis of SPLIT becomes a scalar, and nothing else changes."""

import numpy as np

from distill.tflite.builder import constant, variable
from distill.tflite.flatbuffer import Table
from distill.tflite.interpreter import interpreter_class
from distill.tflite.model import Model, Operator, SubGraph
from distill.tflite.scalar_axes import scalar_axes
from distill.tflite.serialization import read_model, write_model


def halves() -> bytes:
    """A SPLIT into two and the sum of both; its axis is a vector of one, which the sum reads as well."""
    entry, left, right, moved, total = (
        variable(dtype, shape)
        for dtype, shape in (("INT32", (1, 4)), *(("INT32", (1, 2)) for _ in range(2)), *(("INT32", (1, 2)),) * 2)
    )
    axis = constant("INT32", (1,), [1])
    axis.extra["shape_signature"] = (1,)
    for number, tensor in enumerate((entry, left, right, moved, total, axis)):
        tensor.name = f"t{number}"
    nodes = [
        Operator("SPLIT", [axis, entry], [left, right], Table("SplitOptions", {"num_splits": 2})),
        Operator("SUB", [left, axis], [moved], Table("SubOptions")),
        Operator("ADD", [moved, right], [total], Table("AddOptions")),
    ]
    return write_model(Model([SubGraph([entry], [total], nodes)]))


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
