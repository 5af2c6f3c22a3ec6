"""Axis of SPLIT as a scalar, as TensorFlow's converter writes it and onnx2tf without TensorFlow does not.

TFLite takes one number of any shape; OpenVINO refuses a vector of one.
"""

from dataclasses import replace

from distill.tflite.model import Model
from distill.tflite.serialization import read_model, write_model


def scalar_axes(blob: bytes) -> bytes:
    """Return a file in which the axis of every SPLIT is a scalar; the same bytes where it is one."""
    model = read_model(blob)
    return write_model(model) if _replace_axes(model) else blob


def _replace_axes(model: Model) -> bool:
    changed = False
    for operator in model.operators:
        axis = operator.inputs[0] if operator.op == "SPLIT" else None
        if axis is not None and axis.buffer is not None and axis.shape == (1,):
            # A copy, because another operator may read the vector. No shape is a scalar only where the rank is known.
            extra = {name: value for name, value in axis.extra.items() if name != "shape_signature"}
            scalar = replace(axis, shape=(), name=f"{axis.name}_scalar", extra={**extra, "has_rank": True})
            operator.inputs = [scalar, *operator.inputs[1:]]
            changed = True
    return changed
