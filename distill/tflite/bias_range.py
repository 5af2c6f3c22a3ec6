"""Channels whose bias does not fit into 32 bits beside their weights, prepared for 8-bit quantization.

The bias of an 8-bit layer is stored in steps of the input's scale times the scale of the channel's weights. Where the
weights of a channel are zero or almost, as after a batch norm has switched it off, that step is so small that the bias
exceeds 32 bits, and a quantizer cuts it off: the channel loses its constant.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from distill.tflite.activation_ranges import Ranges
from distill.tflite.model import Buffer, Operator, Tensor
from distill.tflite.serialization import read_model, write_model
from distill.tflite.weight_quantization import CHANNEL_AXIS

# Position of input and bias of each layer; weights are input 1.
_INPUT: Mapping[str, int] = {"TRANSPOSE_CONV": 2}
_BIAS: Mapping[str, int] = {"TRANSPOSE_CONV": 3}
# Half of what 32 bits hold, because the quantizer rounds the scales.
_LARGEST = 2.0**30


def with_room_for_biases(blob: bytes, ranges: Ranges) -> bytes:
    """Return a float file in which the weights of every channel are large enough for its bias; as it is where they are.

    The largest weight of such a channel is raised to 3e-5 of the bias or less, divided by the largest input: what an
    8-bit output shows is the same.

    Args:
        blob: float TFLite file.
        ranges: least and greatest value of each activation by name, as of `activation_ranges`.
    """
    model = read_model(blob)
    changed = [_make_room(operator, ranges) for operator in model.operators if operator.op in CHANNEL_AXIS]
    return write_model(model) if any(changed) else blob


def _make_room(operator: Operator, ranges: Ranges) -> bool:
    """Raise the weights of one layer where needed; return whether any was."""
    inputs, op = operator.inputs, operator.op
    data, bias = data_of(operator), (*inputs, None, None)[_BIAS.get(op, 2)]
    weights, offsets = constant_floats(inputs[1]), constant_floats(bias)
    if data is None or data.name not in ranges or weights is None or offsets is None:
        return False
    low, high = ranges[data.name]
    step = (max(high, 0.0) - min(low, 0.0)) / 255
    if step == 0:
        return False
    least = 127 * np.abs(offsets) / (step * _LARGEST)
    by_channel = np.moveaxis(weights, CHANNEL_AXIS[op], 0)
    rows = by_channel.reshape(len(by_channel), -1).copy()
    short = np.flatnonzero(np.abs(rows).max(axis=1) < least)
    if not len(short):
        return False
    largest = np.abs(rows[short]).argmax(axis=1)
    rows[short, largest] = np.copysign(least[short], rows[short, largest])
    moved = np.moveaxis(rows.reshape(by_channel.shape), 0, CHANNEL_AXIS[op])
    assert inputs[1] is not None
    inputs[1].buffer = Buffer(np.ascontiguousarray(moved).tobytes())
    return True


def data_of(operator: Operator) -> Tensor | None:
    """Return the input of a layer that its weights multiply."""
    return operator.inputs[_INPUT.get(operator.op, 0)]


def constant_floats(tensor: Tensor | None) -> NDArray[np.float32] | None:
    """Return the values of a constant in floats, else None."""
    return tensor.values() if tensor is not None and tensor.dtype == "FLOAT32" else None
