"""Stored values of tensors that operators write, which onnx2tf without TensorFlow leaves in a file.

It computes the result of some operators, such as the part of a shape that a squeeze keeps, and stores it beside them.
TFLite keeps stored values in memory that nothing may write: tflite-runtime 2.11 crashes in such an operator. Later
releases compute those of shapes while they prepare the graph.
"""

from distill.tflite.model import Model
from distill.tflite.serialization import read_model, write_model


def drop_written_values(blob: bytes) -> bytes:
    """Return a file in which no operator writes into stored values; the same bytes where none does."""
    model = read_model(blob)
    return write_model(model) if _drop(model) else blob


def _drop(model: Model) -> bool:
    written = [tensor for operator in model.operators for tensor in operator.outputs if tensor.buffer is not None]
    for tensor in written:
        tensor.buffer = None
    return bool(written)
