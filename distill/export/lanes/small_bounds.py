"""Lower bounds of clipping that onnx2tf without TensorFlow drops.

It takes a Clip, and a Max, whose lower bound is at most 1e-6 for ReLU, whose bound is 0. Heatmaps are divided by their
sum, kept above 1e-6: with 0 instead an empty map has no landmark but NaN.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from distill.errors import ExportError
from distill.tflite.builder import constant
from distill.tflite.serialization import read_model, write_model

_LIMIT = 1e-6


def small_bounds(model: onnx.ModelProto) -> dict[str, float]:
    """Return the lower bound of every Clip that has a small one and no upper one, by the name of its output."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    constants |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in model.graph.node
        if node.op_type == "Constant"
    }
    bounds = {}
    for node in model.graph.node:
        if node.op_type == "Clip" and len(node.input) > 1 and not any(node.input[2:]):
            bound = constants.get(node.input[1])
            if bound is not None and 0 < abs(float(bound)) <= _LIMIT * (1 + 1e-3):  # 1e-6 as float32 is a little less
                bounds[node.output[0]] = float(bound)
    return bounds


def restore_bounds(blob: bytes, bounds: Mapping[str, float]) -> bytes:
    """Return a float file of onnx2tf with the bounds in place of the ReLU that it made of them.

    Args:
        blob: the file.
        bounds: of `small_bounds`.

    Raises:
        ExportError: no operator has the name of a Clip, so that its bound cannot be found.
    """
    model = read_model(blob)
    writers = {tensor.name: operator for operator in model.main.operators for tensor in operator.outputs}
    for name, bound in bounds.items():
        operator = writers.get(f"wa{name}") or writers.get(name)
        if operator is None:
            raise ExportError(f"onnx2tf left no operator {name}, which keeps a sum above {bound:g}; try --lane classic")
        if operator.op == "RELU":
            floor = constant("FLOAT32", (1,) * len(operator.outputs[0].shape), [float(np.float32(bound))])
            floor.name = f"{operator.outputs[0].name}_floor"
            operator.op, operator.inputs = "MAXIMUM", [operator.inputs[0], floor]
            model.main.tensors.append(floor)
    return write_model(model)
