"""Whether the layers of a TFLite file compute in integers."""

from distill.tflite.model import Model

_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def computes_in_integers(model: Model) -> bool:
    """Return whether a convolution or dense layer has 8-bit or 16-bit integer outputs."""
    return any(
        operator.op in _LAYERS and operator.outputs[0].dtype in ("INT8", "INT16") for operator in model.operators
    )
