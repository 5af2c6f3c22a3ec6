"""Count what an ONNX file computes, from its own shapes."""

from math import prod
from pathlib import Path
from typing import Any

from distill.errors import CheckpointError, ConfigError
from distill.onnx_file import require_embedded
from distill.tflite.complexity import Complexity

_FLOATS = 1, 10, 11, 16  # FLOAT, FLOAT16, DOUBLE, BFLOAT16 of onnx.TensorProto


def onnx_complexity(path: str | Path) -> tuple[Complexity, int]:
    """Count parameters, MACs and bytes of a file, and its operators.

    MACs are those of convolutions and matrix products; open sizes count as 1.

    Raises:
        CheckpointError: not an ONNX file, or one whose weights lie in another file.
        ConfigError: onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ConfigError("onnx is not installed; run `pip install onnx`") from error
    from google.protobuf.message import DecodeError

    require_embedded(path)
    try:
        graph = onnx.shape_inference.infer_shapes(onnx.load(str(path))).graph
    except (DecodeError, OSError, onnx.shape_inference.InferenceError) as error:
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise CheckpointError(f"{path}: not an ONNX model ({reason}); export it again") from error
    shapes = {value.name: _shape(value) for value in (*graph.input, *graph.output, *graph.value_info)}
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    parameters = sum(prod(tensor.dims) for tensor in graph.initializer if tensor.data_type in _FLOATS)
    macs = sum(_macs(node, shapes) for node in graph.node)
    return Complexity(parameters, macs, Path(path).stat().st_size), len(graph.node)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim)


def _macs(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    if node.op_type not in ("Conv", "ConvTranspose", "MatMul", "Gemm"):
        return 0
    first, second = (shapes.get(name, ()) for name in node.input[:2])
    made = prod(shapes.get(node.output[0], (0,)))
    if not first or not second:
        return 0
    if node.op_type == "Conv":  # weights (out, in of a group, h, w)
        return made * prod(second[1:])
    if node.op_type == "ConvTranspose":  # weights (in, out of a group, h, w)
        return prod(first) * prod(second[1:])
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return made * first[-2 if transposed else -1]
