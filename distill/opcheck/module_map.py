"""Which torch module made a node of a TFLite file.

PyTorch writes the module's path into the names of the ONNX graph (`/head/point/Conv`), onnx2tf keeps it in few tensor
names. So nodes are told apart by what conversion leaves alone, the kind of operation and the number of elements, and
the two sequences, both in order of computation, are aligned like two texts (longest common subsequence). A node that
was added or fused away lies between its neighbours.
"""

import re
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


def module_of(onnx_name: str) -> str:
    """`/net/backbone/stages_2/stages_2.1/attn/Softmax_output_0` -> `backbone.stages_2.1.attn`; empty for the top."""
    parts: list[str] = []
    for part in onnx_name.split("/")[1:-1]:
        # A list's element carries the list's name: `layers`, `layers.2`.
        if parts and part.startswith(parts[-1] + "."):
            parts.pop()
        parts.append(part)
    if parts[:1] == ["net"]:  # the wrapper that `export_onnx` puts around every network
        parts.pop(0)
    return ".".join(parts)


def scope_of(tensor_name: str) -> str | None:
    """Return the module in a tensor name of onnx2tf, which marks a path it kept by `wa/`, or None."""
    found = re.search(r"(?:^|/)wa(/[^;]+)", tensor_name)
    return module_of(found[1]) if found else None


def modules_of(operators: Sequence[Operator], onnx_path: str | Path | None) -> list[str | None]:
    """Return the torch module that made each operator: exact, `between A and B`, or None when nothing tells.

    Args:
        onnx_path: the ONNX file the TFLite file was made from; without it only tensor names speak.
    """
    named = [scope_of(node.outputs[0].name) if node.outputs else None for node in operators]
    if onnx_path is None:
        return named
    try:
        steps, modules = _onnx_steps(Path(onnx_path))
    except (ValueError, RuntimeError):  # names are a help, not the verdict
        return named
    if len(steps) * len(operators) > _MAX_CELLS:
        return named
    pairs = _aligned([_tflite_step(node) for node in operators], steps)
    found = [kept or (modules[pairs[index]] if index in pairs else None) for index, kept in enumerate(named)]
    return [module if module is not None else _between(found, index) for index, module in enumerate(found)]


def _between(found: Sequence[str | None], index: int) -> str | None:
    before = next((module for module in found[index::-1] if module is not None), None)
    after = next((module for module in found[index:] if module is not None), None)
    if before is None or after is None or before == after:
        return before if after is None else after
    return f"between {before or 'the input'} and {after or 'the output'}"


def _tflite_step(node: Operator) -> _Step:
    size = int(np.prod(node.outputs[0].shape)) if node.outputs else 0
    return _KINDS.get(node.op, node.op.replace("_", "")), size


def _onnx_steps(path: Path) -> tuple[list[_Step], list[str]]:
    """Return the operation and output size of every node of an ONNX graph, and its module."""
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
    return [(kind, sizes.get(node.output[0], 0)) for kind, node in zip(kinds, nodes, strict=True)], [
        module_of(name) for name in names
    ]


def _aligned(first: Sequence[_Step], second: Sequence[_Step]) -> dict[int, int]:
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
