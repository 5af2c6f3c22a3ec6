"""Weight-only quantization: 8-bit weights in a TFLite file whose layers compute in floats."""

import numpy as np
from numpy.typing import NDArray

from distill.tflite.model import Buffer, Operator, Quantization, Tensor
from distill.tflite.serialization import read_model, write_model

# Layers with weights, and the axis of the weights along which the output channels lie.
_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
_WEIGHT_INPUT = 1
# Smaller weights save nothing worth their rounding.
_MIN_WEIGHTS = 1024
# The first version of DEQUANTIZE that has one scale per channel.
_PER_CHANNEL_VERSION = 5


def quantize_weights(blob: bytes) -> bytes:
    """Return a file with the weights of its float layers in 8 bits, one scale per output channel.

    Layers that compute in integers stay as they are. The runtime unpacks the others' weights when it loads the file and
    computes in 32-bit floats. Biases stay in 32 bits: XNNPACK takes a layer with 8-bit weights and a 16-bit bias out of
    its fast path, and the one of TensorFlow 2.19 refuses the file.
    """
    model = read_model(blob)
    (graph,) = model.subgraphs
    floats: dict[Tensor, Tensor] = {}
    for operator in graph.operators:
        weights = _float_weights(operator)
        values = weights.values() if weights is not None and weights not in floats else None
        if weights is not None and values is not None and values.size >= _MIN_WEIGHTS:
            floats[weights] = float_copy(weights)
            _quantize(weights, values, _CHANNEL_AXIS[operator.op])
    for operator in graph.operators:
        operator.inputs = [floats.get(tensor, tensor) if tensor else None for tensor in operator.inputs]
    unpacking = [
        Operator("DEQUANTIZE", [weights], [copy], version=_PER_CHANNEL_VERSION) for weights, copy in floats.items()
    ]
    graph.operators = unpacking + graph.operators
    return write_model(model)


def float_copy(tensor: Tensor, values: NDArray | None = None) -> Tensor:
    """Return a float tensor of the shape of another, with its own values if it is constant."""
    buffer = None if values is None else Buffer(values.astype(np.float32).tobytes())
    extra = {key: value for key, value in tensor.extra.items() if key in ("shape_signature", "has_rank")}
    return Tensor("FLOAT32", tensor.shape, f"{tensor.name}_float", buffer, extra=extra)


def _float_weights(operator: Operator) -> Tensor | None:
    if operator.op not in _CHANNEL_AXIS or len(operator.inputs) <= _WEIGHT_INPUT:
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
