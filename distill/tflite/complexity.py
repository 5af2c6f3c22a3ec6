"""Complexity of a TFLite file: parameters and multiply-accumulates, counted from the shapes of its tensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

from distill.errors import CheckpointError
from distill.tflite.model import Model, Operator

# Operators with weights. The last input of each is a bias: integers in a quantized file, and a parameter all the same.
LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D")
# Values of a tensor that are indices and sizes, not weights.
_INDEX_TYPES = ("INT32", "INT64", "BOOL", "STRING")


@dataclass(frozen=True)
class Complexity:
    """Cost of one image.

    Attributes:
        parameters: number of weights.
        macs: multiply-accumulates of convolutions and matrix products (FLOPs are twice as many).
        bytes: of the weights and buffers as stored.
    """

    parameters: int
    macs: int
    bytes: int


def tflite_complexity(model: Model) -> Complexity:
    """Count parameters and MACs of the main graph, and bytes of the file.

    MACs are those of convolutions (plain, depthwise, transposed, 3-D), dense layers and matrix products, all else is
    free, as in `complexity`. Parameters are the stored values that are not indices: weights, biases, and the tables
    a converter adds.

    Raises:
        CheckpointError: operators and shapes that contradict each other.
    """
    with _contradictions(model.name):
        return Complexity(_parameters(model), sum(map(operator_macs, model.main.operators)), model.size)


@contextmanager
def _contradictions(name: str) -> Iterator[None]:
    """Turn what arithmetic on shapes raises for a damaged file into an error of one line."""
    try:
        yield
    except (IndexError, ZeroDivisionError) as error:
        raise CheckpointError(f"{name}: damaged TFLite file ({error!r}); export or download it again") from error


def operator_macs(operator: Operator) -> int:
    """Return the multiply-accumulates of one operator."""
    shapes = [tensor.shape if tensor else () for tensor in operator.inputs]
    size = prod(operator.outputs[0].shape) if operator.outputs else 0
    match operator.op:
        case "CONV_2D":  # weights (out, h, w, in of a group)
            return size * prod(shapes[1][1:])
        case "DEPTHWISE_CONV_2D":  # weights (1, h, w, out)
            return size * prod(shapes[1][1:3])
        case "FULLY_CONNECTED":  # weights (out, in)
            return size * shapes[1][-1]
        case "BATCH_MATMUL":  # (..., m, k) or its transpose, and (..., k, n): k is what the result lacks
            return size * (prod(shapes[0][-2:]) // operator.outputs[0].shape[-2]) if size else 0
        case "TRANSPOSE_CONV":  # shape, weights (out, h, w, in), image: each pixel meets every weight of its channel
            return prod(shapes[2]) * prod(shapes[1][:3])
        case "CONV_3D":  # weights (depth, h, w, in, out)
            return size * prod(shapes[1][:4])
        case _:
            return 0


def _parameters(model: Model) -> int:
    layers = [node for node in model.main.operators if node.op in LAYERS and len(node.inputs) > 2]
    # The third input of a transposed convolution is the image.
    biases = {node.inputs[2] for node in layers} - {node.inputs[2] for node in layers if node.op == "TRANSPOSE_CONV"}
    stored = {
        tensor.buffer: prod(tensor.shape)
        for tensor in model.main.all_tensors()
        if tensor.buffer is not None and (tensor in biases or tensor.dtype not in _INDEX_TYPES)
    }  # by buffer, because converters let equal tensors share one
    return sum(stored.values())


def custom_operators(model: Model) -> list[str]:
    """Return the names of custom operators, whose MACs are not known."""
    return sorted({node.op.removeprefix("CUSTOM:") for node in model.main.operators if node.op.startswith("CUSTOM:")})


def describe_input(model: Model) -> str:
    """Return the inputs as `128x128x3 float32`."""
    sizes = ["x".join(map(str, tensor.shape[1:] or tensor.shape)) for tensor in model.main.inputs]
    return ", ".join(f"{size} {each.dtype.lower()}" for size, each in zip(sizes, model.main.inputs, strict=True))
