"""Ranges of activations that are wide enough for the factor of an 8-bit layer.

A layer multiplies its sums by the scales of its input and its weights over that of its output. Where the output is zero
or almost for all calibration inputs, as of channels that a ReLU has switched off, that factor is larger than the 256
that XNNPACK takes, and LiteRT does not load the file.
"""

from distill.tflite.activation_ranges import Ranges
from distill.tflite.bias_range import constant_floats, data_of
from distill.tflite.model import Model
from distill.tflite.weight_quantization import CHANNEL_AXIS

# Half of what XNNPACK takes, because the quantizer rounds the scales.
_LARGEST = 128.0


def with_room_for_factors(model: Model, ranges: Ranges) -> Ranges:
    """Return ranges in which every layer's output is wide enough for its factor; as they are where all are.

    Args:
        model: float TFLite file.
        ranges: least and greatest value of each activation by name, as of `activation_ranges`.
    """
    wider = dict(ranges)
    for operator in (operator for operator in model.operators if operator.op in CHANNEL_AXIS):
        data, weights, output = data_of(operator), constant_floats(operator.inputs[1]), operator.outputs[0]
        if data is None or weights is None or not {data.name, output.name} <= wider.keys():
            continue
        least = _span(wider[data.name]) * float(abs(weights).max()) / (127 * _LARGEST)
        low, high = wider[output.name]
        if _span((low, high)) < least:
            wider[output.name] = (low, min(low, 0.0) + least) if high >= -low else (max(high, 0.0) - least, high)
    return wider


def _span(limits: tuple[float, float]) -> float:
    """Return the width of a range with zero in it, as quantizers extend it."""
    return max(limits[1], 0.0) - min(limits[0], 0.0)
