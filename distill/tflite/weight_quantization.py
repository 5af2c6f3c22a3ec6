"""Weight-only quantization: 8-bit or 16-bit weights in a TFLite file whose layers compute in floats."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distill.tflite.model import Buffer, Operator, Quantization, Tensor
from distill.tflite.serialization import read_model, write_model

# Layers with weights, and the axis of the weights along which the output channels lie.
CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
_WEIGHT_INPUT = 1
# Smaller weights save nothing worth their rounding.
_MIN_WEIGHTS = 1024
# The first version of DEQUANTIZE that has one scale per channel.
_PER_CHANNEL_VERSION = 5
# The first version of DEQUANTIZE that takes 16-bit floats; 2.11 refuses files that declare an older one.
_HALF_VERSION = 3


def quantize_weights(blob: bytes) -> bytes:
    """Return a file with the weights of its float layers in 8 bits, one scale per output channel.

    Layers that compute in integers stay as they are. The runtime unpacks the others' weights when it loads the file and
    computes in 32-bit floats. Biases stay in 32 bits: XNNPACK takes a layer with 8-bit weights and a 16-bit bias out of
    its fast path, and the one of TensorFlow 2.19 refuses the file.
    """

    def store(operator: Operator) -> list[Tensor]:
        weights = _float_weights(operator)
        values = None if weights is None else weights.values()
        if weights is None or values is None or values.size < _MIN_WEIGHTS:
            return []
        _quantize(weights, values, CHANNEL_AXIS[operator.op])
        return [weights]

    return _with_unpacking(blob, store, _PER_CHANNEL_VERSION)


def half_weights(blob: bytes) -> bytes:
    """Return a file with the weights and biases of its float layers in 16-bit floats.

    The runtime unpacks them when it loads the file and computes in 32-bit floats.
    """

    def store(operator: Operator) -> list[Tensor]:
        halved = []
        for tensor in operator.present_inputs[_WEIGHT_INPUT:] if operator.op in CHANNEL_AXIS else ():
            values = tensor.values() if tensor.dtype == "FLOAT32" else None
            if values is not None:
                tensor.buffer, tensor.dtype = Buffer(values.astype(np.float16).tobytes()), "FLOAT16"
                halved.append(tensor)
        return halved

    return _with_unpacking(blob, store, _HALF_VERSION)


def _with_unpacking(blob: bytes, store: Callable[[Operator], list[Tensor]], version: int) -> bytes:
    """Return a file whose layers read float copies, made by DEQUANTIZE, of the constants that `store` has packed."""
    model = read_model(blob)
    (graph,) = model.subgraphs
    floats: dict[Tensor, Tensor] = {}
    for operator in graph.operators:
        floats |= {packed: float_copy(packed) for packed in store(operator)}
    for operator in graph.operators:
        operator.inputs = [floats.get(tensor, tensor) if tensor else None for tensor in operator.inputs]
    unpacking = [Operator("DEQUANTIZE", [packed], [copy], version=version) for packed, copy in floats.items()]
    graph.operators = unpacking + graph.operators
    return write_model(model)


def float_copy(tensor: Tensor, values: NDArray | None = None) -> Tensor:
    """Return a float tensor of the shape of another, with its own values if it is constant."""
    buffer = None if values is None else Buffer(values.astype(np.float32).tobytes())
    extra = {key: value for key, value in tensor.extra.items() if key in ("shape_signature", "has_rank")}
    return Tensor("FLOAT32", tensor.shape, f"{tensor.name}_float", buffer, extra=extra)


def _float_weights(operator: Operator) -> Tensor | None:
    if operator.op not in CHANNEL_AXIS or len(operator.inputs) <= _WEIGHT_INPUT:
        return None
    weights = operator.inputs[_WEIGHT_INPUT]
    return weights if weights is not None and weights.dtype == "FLOAT32" else None


def _quantize(tensor: Tensor, values: NDArray[np.float32], axis: int) -> None:
    """Round a constant to 8 bits, symmetric, with one scale for each index along an axis."""
    others = tuple(other for other in range(values.ndim) if other != axis)
    scale = np.abs(values).max(others, keepdims=True) / 127
    scale[scale == 0] = 1
    tensor.buffer = Buffer(np.rint(values / scale).astype(np.int8).tobytes())
    tensor.dtype = "INT8"
    tensor.quantization = Quantization(tuple(scale.ravel().tolist()), (0,) * scale.size, axis)
