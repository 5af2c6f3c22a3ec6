"""Match operators of a TFLite file with nodes of its ONNX graph, by their order and the sizes of their results.

Both are sequences in order of computation, of pairs of the kind of operation and the number of elements, which
conversion leaves as they are. Their longest common subsequence is the match.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distill.tflite.model import Operator

# TFLite operator -> ONNX operators it may come from, where the names differ.
_KINDS = {
    "DEPTHWISE_CONV_2D": "CONV", "CONV_2D": "CONV", "FULLY_CONNECTED": "MATMUL", "GEMM": "MATMUL",
    "BATCH_MATMUL": "MATMUL", "LOGISTIC": "SIGMOID", "RESIZE_NEAREST_NEIGHBOR": "RESIZE", "RESIZE_BILINEAR": "RESIZE",
    "STRIDED_SLICE": "SLICE", "MEAN": "REDUCEMEAN", "SUM": "REDUCESUM", "REDUCE_MAX": "REDUCEMAX", "MAXIMUM": "MAX",
    "MINIMUM": "MIN", "TRANSPOSE_CONV": "CONVTRANSPOSE", "CONCATENATION": "CONCAT", "AVERAGE_POOL_2D": "AVERAGEPOOL",
    "MAX_POOL_2D": "MAXPOOL", "SQUEEZE": "RESHAPE", "UNSQUEEZE": "RESHAPE", "EXPAND_DIMS": "RESHAPE",
    "FLATTEN": "RESHAPE",
    "GLOBALAVERAGEPOOL": "REDUCEMEAN", "POW": "MUL", "RSQRT": "SQRT", "SELECT_V2": "WHERE",
}  # fmt: skip
_Step = tuple[str, int]
# The alignment's table, four bytes a cell.
_MAX_CELLS = 100_000_000


def match_order(operators: Sequence[Operator], onnx_path: Path) -> list[str | None]:
    """Return the name of an ONNX node or its result for each operator, None for those without a match.

    Raises:
        ValueError, RuntimeError: not an ONNX file, or graphs too large to be aligned.
    """
    steps, names = _onnx_steps(onnx_path)
    if len(steps) * len(operators) > _MAX_CELLS:
        raise ValueError(f"{onnx_path}: {len(steps)} nodes are too many to be aligned")
    pairs = aligned([_tflite_step(node) for node in operators], steps)
    return [names[pairs[index]] if index in pairs else None for index in range(len(operators))]


def _tflite_step(node: Operator) -> _Step:
    size = int(np.prod(node.outputs[0].shape)) if node.outputs else 0
    return _KINDS.get(node.op, node.op.replace("_", "")), size


def _onnx_steps(path: Path) -> tuple[list[_Step], list[str]]:
    """Return the operation and output size of every node of an ONNX graph, and its name."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError) as error:
        raise ValueError(f"{path}: not an ONNX file") from error
    graph = onnx.shape_inference.infer_shapes(model).graph
    sizes = {
        value.name: int(np.prod([dim.dim_value for dim in value.type.tensor_type.shape.dim]))
        for value in (*graph.value_info, *graph.output)
    }
    nodes = [node for node in graph.node if node.op_type != "Constant"]
    kinds = [_KINDS.get(node.op_type.upper(), node.op_type.upper()) for node in nodes]
    # Simplifiers rename nodes; the names of tensors stay.
    names = [node.output[0] if node.output[0].startswith("/") else node.name for node in nodes]
    return [(kind, sizes.get(node.output[0], 0)) for kind, node in zip(kinds, nodes, strict=True)], names


def aligned(first: Sequence[_Step], second: Sequence[_Step]) -> dict[int, int]:
    """Return the longest common subsequence as index in `first` -> index in `second`."""
    ids = {step: number for number, step in enumerate({*first, *second})}
    a, b = (np.array([ids[step] for step in steps], int) for steps in (first, second))
    lengths = np.zeros((len(a) + 1, len(b) + 1), np.int32)
    for row in range(len(a) - 1, -1, -1):
        # Row by row: a match adds one to the diagonal, and a cell is never less than its right neighbour.
        reached = np.maximum(lengths[row + 1, :-1], np.where(b == a[row], lengths[row + 1, 1:] + 1, 0))
        lengths[row, :-1] = np.maximum.accumulate(reached[::-1])[::-1]
    pairs, i, j = {}, 0, 0
    while i < len(a) and j < len(b):
        if a[i] == b[j] and lengths[i, j] == lengths[i + 1, j + 1] + 1:
            pairs[i] = j
            i, j = i + 1, j + 1
        elif lengths[i + 1, j] >= lengths[i, j + 1]:
            i += 1
        else:
            j += 1
    return pairs
