"""TFLite files of a single operator: any operator in any version, with tensors of any type and shape.

They show which operators, types and ranks a runtime accepts.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from distill.tflite.model import Buffer, Model, Operator, Quantization, SubGraph, Tensor
from distill.tflite.serialization import read_model, write_model

QUANTIZED_TYPES = ("INT8", "UINT8", "INT16")
# A scale that suits any kernel which demands none of its own, and the ranges that some demand.
_SCALE = 1 / 128
_ZERO = {"UINT8": 128}
_OUTPUT_SCALES = {
    ("LOGISTIC", "INT8"): (1 / 256, -128), ("LOGISTIC", "UINT8"): (1 / 256, 0), ("LOGISTIC", "INT16"): (1 / 32768, 0),
    ("SOFTMAX", "INT8"): (1 / 256, -128), ("SOFTMAX", "UINT8"): (1 / 256, 0), ("SOFTMAX", "INT16"): (1 / 32768, 0),
    ("TANH", "INT16"): (1 / 32768, 0), ("LOG_SOFTMAX", "INT8"): (16 / 256, 127),
    ("LOG_SOFTMAX", "UINT8"): (16 / 256, 255),
}  # fmt: skip


def single_op_model(operator: Operator) -> bytes:
    """Return the TFLite file of one operator; inputs without values are the model's inputs.

    Each input and output gets a tensor of its own, also where the same object is given twice.
    """
    tensors = [replace(tensor, name=f"t{index}") for index, tensor in enumerate(operator.tensors)]
    inputs, outputs = tensors[: len(operator.inputs)], tensors[len(operator.inputs) :]
    node = replace(operator, inputs=inputs, outputs=outputs)
    variables = [tensor for tensor in inputs if tensor.buffer is None]
    return write_model(Model([SubGraph(variables, outputs, [node], tensors)]))


def variable(dtype: str, shape: Sequence[int], op: str = "") -> Tensor:
    """Return a tensor without values; quantized if its type is int8, uint8 or int16.

    Args:
        op: operator whose output it is, since some demand a range.
    """
    scale, zero = _OUTPUT_SCALES.get((op, dtype), (_SCALE, _ZERO.get(dtype, 0)))
    return Tensor(
        dtype, tuple(shape), quantization=Quantization((scale,), (zero,)) if dtype in QUANTIZED_TYPES else None
    )


def constant(dtype: str, shape: Sequence[int], values: Sequence[float] | None = None) -> Tensor:
    """Return a constant tensor, of ones (zeros for int4) by default; quantized if its type is int8, int4 and so on."""
    size = int(np.prod(shape))
    if dtype == "INT4":  # two to a byte, and numpy has no such type
        content = bytes((size + 1) // 2)
    else:
        content = np.array([1] * size if values is None else values, np.dtype(dtype.lower())).tobytes()
    quantized = dtype in (*QUANTIZED_TYPES, "INT4")
    quantization = Quantization((_SCALE,), (_ZERO.get(dtype, 0),)) if quantized else None
    return Tensor(dtype, tuple(shape), buffer=Buffer(content), quantization=quantization)


def integers(*values: int) -> Tensor:
    """Return a constant vector of int32."""
    return constant("INT32", (len(values),), values)


def redeclared(blob: bytes, op: str, version: int, other: int) -> bytes:
    """Return a TFLite file in which operator `op` of one version is declared in another."""
    model = read_model(blob)
    for operator in model.operators:
        if (operator.op, operator.version) == (op, version):
            operator.version = other
    return write_model(model)
