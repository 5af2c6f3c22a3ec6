"""Tables of operators: the first runtime with an operator version, and with an element type and rank of it.

op_versions.csv: (operator, version) -> the first TensorFlow Lite and the first LiteRT that have it.
op_types.csv: limits that the version does not show. A file may declare TRANSPOSE v1 on seven axes, or ABS of int32: a
runtime finds the operator and refuses the node. Only limits are listed, and only where a real load showed them.

Every row has its source. Both are measured by `scripts/generate/op_table.py`; see docs/how-to/check-operators.md.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, zip_longest
from pathlib import Path

from distill.tflite.model import Operator

# Index of the data among the inputs where it is not 0; for operators with weights: (data, weights).
_DATA = {"SPLIT": 1, "SELECT": 1, "SELECT_V2": 1}
_WEIGHTED = {
    "CONV_2D": (0, 1), "DEPTHWISE_CONV_2D": (0, 1), "FULLY_CONNECTED": (0, 1), "BATCH_MATMUL": (0, 1),
    "TRANSPOSE_CONV": (2, 1),
}  # fmt: skip
_QUANTISED = ("INT8", "UINT8", "INT16", "INT4")
_BROADCASTING = {
    "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "POW", "SQUARED_DIFFERENCE", "FLOOR_DIV", "FLOOR_MOD",
    "EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL",
}  # fmt: skip


# A node that writes into stored values. One row of op_types.csv, with `*` as operator and types, holds for all others.
CONSTANT_OUTPUT = "constant output"


@dataclass(frozen=True)
class Since:
    """First releases that have something, and how that is known.

    Attributes:
        tflite, litert: first release of each family; None when no known release has it.
    """

    tflite: str | None
    litert: str | None
    source: str


@dataclass(frozen=True)
class Kind:
    """Key of a node in op_types.csv: element types, rank, broadcasting.

    Attributes:
        types: of its data; `DATA/WEIGHTS` where it has weights, `FIRST/SECOND` where two operands differ.
        case: `broadcast` when operands differ along neighbouring axes, `broadcast apart` along others too, and
            `constant output` where the node writes into stored values; types and rank are then those of its output.
    """

    types: str
    rank: int
    case: str = ""


def _rows(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / name).open(newline="") as file:
        return list(csv.DictReader(file))


def _since(row: dict[str, str]) -> Since:
    return Since(row["since"] or None, row["litert"] or None, row["source"])


@lru_cache
def op_table() -> dict[tuple[str, int], Since]:
    """Return every known (operator, version)."""
    return {(row["op"], int(row["version"])): _since(row) for row in _rows("op_versions.csv")}


@lru_cache
def type_table() -> dict[tuple[str, Kind], Since]:
    """Return the limits of operators by element type, rank and case."""
    return {
        (row["op"], Kind(row["types"], rank, row["case"])): _since(row)
        for row in _rows("op_types.csv")
        for rank in range(int(row["min_rank"]), int(row["max_rank"]) + 1)
    }


def kind_of(node: Operator) -> Kind | None:
    """Return what the table may list an operator under, or None when it is not of a kind that was measured."""
    inputs = node.present_inputs
    if node.outputs and node.outputs[0].buffer is not None:
        return Kind(node.outputs[0].dtype, len(node.outputs[0].shape), CONSTANT_OUTPUT)
    if node.op in _BROADCASTING and len(inputs) != 2:
        return None
    indices = _WEIGHTED.get(node.op) or (_DATA.get(node.op, 0),)
    if max(indices) >= len(inputs) or not node.outputs:
        return None
    tensors = [node.outputs[0]] if node.op == "QUANTIZE" else [inputs[index] for index in indices]
    if node.op in _BROADCASTING and inputs[1].dtype != tensors[0].dtype:
        tensors = inputs[:2]
    for tensor in tensors:
        # Kernels treat plain integers and per-channel scales differently from what was measured.
        if tensor.dtype in _QUANTISED and tensor.n_scales != (0 if node.op == "CAST" else 1):
            return None
    case = _broadcast(inputs[0].shape, inputs[1].shape) if node.op in _BROADCASTING else ""
    rank = max(len(tensor.shape) for tensor in inputs[:2]) if case else len(tensors[0].shape)
    return Kind("/".join(tensor.dtype for tensor in tensors), rank, case)


def _broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> str:
    """Return how two shapes are broadcast: not at all, along neighbouring axes, or along axes that lie apart."""
    pairs = zip_longest(reversed(first), reversed(second), fillvalue=1)
    groups = [differs for differs, _ in groupby(pairs, lambda pair: pair[0] != pair[1])]
    return {0: "", 1: "broadcast"}.get(sum(groups), "broadcast apart")


def limit_of(node: Operator) -> Since | None:
    """Return the first releases that accept a node's types and rank, or None when no limit is known."""
    kind = kind_of(node)
    if kind is None:
        return None
    any_operator = ("*", Kind("*", 0, CONSTANT_OUTPUT)) if kind.case == CONSTANT_OUTPUT else (node.op, kind)
    return type_table().get((node.op, kind)) or type_table().get(any_operator)
