"""A TFLite file with a SPLIT as onnx2tf writes it without TensorFlow."""

from distill.tflite.builder import constant, variable
from distill.tflite.flatbuffer import Table
from distill.tflite.model import Model, Operator, SubGraph
from distill.tflite.serialization import write_model


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
