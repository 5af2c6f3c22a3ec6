"""A floor under a sum survives the conversion."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from distill.errors import ExportError
from distill.export.lanes.small_bounds import restore_bounds, small_bounds
from distill.tflite.builder import single_op_model, variable
from distill.tflite.interpreter import interpreter_class
from distill.tflite.model import Operator
from distill.tflite.serialization import read_model, write_model


def clip_graph(low: float | None, high: float | None) -> onnx.ModelProto:
    bounds = {"low": low, "high": high}
    names = [name if value is not None else "" for name, value in bounds.items()]
    constants = [
        numpy_helper.from_array(np.float32(value), name) for name, value in bounds.items() if value is not None
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    node = helper.make_node("Clip", ["x", *names], ["y"])
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(1e-6, None, True), (0.0, None, False), (0.5, None, False), (1e-6, 1.0, False), (None, 1.0, False)],
)
def test_small_bounds_are_found(low: float | None, high: float | None, found: bool) -> None:
    assert small_bounds(clip_graph(low, high)) == ({"y": pytest.approx(1e-6)} if found else {})


def relu_file() -> bytes:
    operator = Operator("RELU", [variable("FLOAT32", (1, 3))], [variable("FLOAT32", (1, 3))])
    model = read_model(single_op_model(operator))
    model.main.outputs[0].name = "wa/net/Clip_output_0"
    return write_model(model)


def test_a_bound_replaces_the_relu() -> None:
    pytest.importorskip("ai_edge_litert")
    interpreter = interpreter_class()(model_content=restore_bounds(relu_file(), {"/net/Clip_output_0": 1e-6}))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array([[-1, 0, 2]], np.float32))
    interpreter.invoke()
    result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_array_equal(result, np.array([[1e-6, 1e-6, 2]], np.float32))


def test_a_lost_name_is_an_error() -> None:
    with pytest.raises(ExportError, match="left no operator /net/Clip_7"):
        restore_bounds(relu_file(), {"/net/Clip_7": 1e-6})
