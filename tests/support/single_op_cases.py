"""Single-operator models to ask a runtime what it takes: operators by element type, rank and broadcasting.

The kernel table is measured with them (`scripts/generate/op_table.py`). Tensors are small, quantised types have the
scales their kernels ask for, and constants lie in the file as a converter would put them there.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from distill.tflite.builder import constant, integers, single_op_model, variable
from distill.tflite.flatbuffer import Table
from distill.tflite.model import Model, Operator, Quantization, SubGraph, Tensor
from distill.tflite.serialization import write_model


def _shape(rank: int) -> tuple[int, ...]:
    return (2,) * rank if rank < 3 else (1,) * (rank - 3) + (2, 4, 2)


def _unary(op: str, dtype: str, rank: int) -> Operator:
    table = {
        "SOFTMAX": Table("SoftmaxOptions", {"beta": 1.0}),
        "LEAKY_RELU": Table("LeakyReluOptions"),
    }
    table["GELU"] = Table("GeluOptions")
    return Operator(op, (variable(dtype, _shape(rank)),), (variable(dtype, _shape(rank), op),), table.get(op))


def _binary(op: str, dtype: str, rank: int, ones: tuple[int, ...] = ()) -> Operator:
    """The second operand is one wide on the axes `ones`."""
    second = tuple(1 if axis - rank in ones else size for axis, size in enumerate(_shape(rank)))
    table = {name: Table(f"{name.title()}Options") for name in ("ADD", "SUB", "MUL", "DIV")}
    # Divisors and exponents are constants: noise of integers would hold zeros.
    other = constant(dtype, second)
    return Operator(op, (variable(dtype, _shape(rank)), other), (variable(dtype, _shape(rank), op),), table.get(op))


def _compare(op: str, dtype: str, rank: int, ones: tuple[int, ...] = ()) -> Operator:
    node = _binary(op, dtype, rank, ones)
    return replace(node, outputs=(variable("BOOL", _shape(rank)),), options=None)


def _mixed(op: str, dtype: str, rank: int, ones: tuple[int, ...] = ()) -> Operator:
    """Operands of two types, `FIRST/SECOND`, as a converter leaves them when it quantises only one."""
    first, second = dtype.split("/")
    node = _compare(op, first, rank, ones)
    return replace(node, inputs=(node.inputs[0], constant(second, node.inputs[1].shape)))


def _reduce(op: str, dtype: str, rank: int) -> Operator:
    result = variable(dtype, (*_shape(rank)[:-1], 1))
    table = Table("ReducerOptions", {"keep_dims": True})
    return Operator(op, (variable(dtype, _shape(rank)), integers(rank - 1)), (result,), table)


def _arg(op: str, dtype: str, rank: int) -> Operator:
    table = Table(f"{op.title().replace('_', '')}Options", {"output_type": 2})
    return Operator(
        op, (variable(dtype, _shape(rank)), integers(rank - 1)), (variable("INT32", _shape(rank)[:-1]),), table
    )


def _moved(op: str, dtype: str, rank: int) -> Operator:
    """Operators that only move elements about."""
    shape, entry = _shape(rank), variable(dtype, _shape(rank))
    ones, pads = [1] * rank, [0, 0] * (rank - 1) + [1, 1]
    extra: dict[str, tuple[Tensor, ...]] = {
        "TRANSPOSE": (integers(*reversed(range(rank))),), "RESHAPE": (integers(int(np.prod(shape))),),
        "SLICE": (integers(*[0] * rank), integers(*shape)),
        "STRIDED_SLICE": (integers(*[0] * rank), integers(*shape), integers(*ones)),
        "PAD": (constant("INT32", (rank, 2), pads),),
        "PADV2": (constant("INT32", (rank, 2), pads), constant(dtype, ())),
        "MIRROR_PAD": (constant("INT32", (rank, 2), pads),), "TILE": (integers(*ones),),
        "EXPAND_DIMS": (integers(0),), "BROADCAST_TO": (integers(*shape),), "REVERSE_V2": (integers(rank - 1),),
        "GATHER": (integers(0),), "CONCATENATION": (entry,), "PACK": (entry,),
    }  # fmt: skip
    outputs = {
        "TRANSPOSE": shape[::-1], "RESHAPE": (int(np.prod(shape)),), "TILE": shape, "EXPAND_DIMS": (1, *shape),
        "GATHER": (1, *shape[1:]), "CONCATENATION": (*shape[:-1], 2 * shape[-1]), "PACK": (2, *shape),
        **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), (*shape[:-1], shape[-1] + 2)),
    }  # fmt: skip
    tables = {
        "RESHAPE": Table("ReshapeOptions", {"new_shape": [int(np.prod(shape))]}),
        "PACK": Table("PackOptions", {"values_count": 2, "axis": 0}),
        "GATHER": Table("GatherOptions"), "CONCATENATION": Table("ConcatenationOptions", {"axis": rank - 1}),
        "MIRROR_PAD": Table("MirrorPadOptions"), "STRIDED_SLICE": Table("StridedSliceOptions"),
    }  # fmt: skip
    version = 2 if op == "BROADCAST_TO" else 1
    result = variable(dtype, outputs.get(op, shape))
    return Operator(op, (entry, *extra[op]), (result,), tables.get(op), version)


def _split(op: str, dtype: str, rank: int) -> Operator:
    halves = (variable(dtype, (*_shape(rank)[:-1], _shape(rank)[-1] // 2)),) * 2
    axis = constant("INT32", (), [rank - 1])
    return Operator(op, (axis, variable(dtype, _shape(rank))), halves, Table("SplitOptions", {"num_splits": 2}))


def _unpack(op: str, dtype: str, rank: int) -> Operator:
    parts = (variable(dtype, _shape(rank)[:-1]),) * _shape(rank)[-1]
    table = Table("UnpackOptions", {"num": len(parts), "axis": rank - 1})
    return Operator(op, (variable(dtype, _shape(rank)),), parts, table)


def _select(op: str, dtype: str, rank: int) -> Operator:
    shape = _shape(rank)
    return Operator(
        op, (variable("BOOL", shape), variable(dtype, shape), variable(dtype, shape)), (variable(dtype, shape),)
    )


def _cast(op: str, dtype: str, rank: int) -> Operator:
    entry = replace(variable(dtype, _shape(rank)), quantization=None)
    return Operator(op, (entry,), (variable("FLOAT32", _shape(rank)),))


def _dequantise(op: str, dtype: str, rank: int) -> Operator:
    return Operator(op, (variable(dtype, _shape(rank)),), (variable("FLOAT32", _shape(rank)),))


def _quantise(op: str, dtype: str, rank: int) -> Operator:
    return Operator(op, (variable("FLOAT32", _shape(rank)),), (variable(dtype, _shape(rank)),))


def _spatial(op: str, dtype: str, rank: int) -> Operator:
    """Operators on maps of (1, 4, 4, 2)."""
    pool = Table("Pool2DOptions", {"stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2})
    half, double = (1, 2, 2, 2), (1, 8, 8, 2)
    table: dict[str, tuple[tuple[Tensor, ...], tuple[int, ...], Table | None]] = {
        "AVERAGE_POOL_2D": ((), half, pool), "MAX_POOL_2D": ((), half, pool), "L2_POOL_2D": ((), half, pool),
        "RESIZE_BILINEAR": ((integers(8, 8),), double, Table("ResizeBilinearOptions")),
        "RESIZE_NEAREST_NEIGHBOR": ((integers(8, 8),), double, Table("ResizeNearestNeighborOptions")),
        "SPACE_TO_DEPTH": ((), (1, 2, 2, 8), Table("SpaceToDepthOptions", {"block_size": 2})),
        "SPACE_TO_BATCH_ND": ((integers(2, 2), constant("INT32", (2, 2), [0] * 4)), (4, 2, 2, 2), None),
        "PRELU": ((constant(dtype, (1, 1, 2)),), (1, 4, 4, 2), None),
    }  # fmt: skip
    extra, shape, options = table[op]
    return Operator(op, (variable(dtype, (1, 4, 4, 2)), *extra), (variable(dtype, shape),), options)


def _bias(entry: str, channels: int) -> Tensor:
    """Return the bias a converter would write for activations of type `entry`; old kernels insist on one."""
    dtype = {"INT8": "INT32", "UINT8": "INT32", "INT16": "INT64"}.get(entry, "FLOAT32")
    scale = None if dtype == "FLOAT32" else Quantization((1 / 128 / 128,), (0,))
    return replace(constant(dtype, (channels,), [0] * channels), quantization=scale)


def _weighted(op: str, dtype: str, rank: int) -> Operator:
    """Operators with weights; `dtype` is `INPUT/WEIGHTS`."""
    entry, weights = dtype.split("/")
    if op == "FULLY_CONNECTED":
        table = Table("FullyConnectedOptions", {"keep_num_dims": rank != 2})
        shape = _shape(rank)
        return Operator(
            op,
            (variable(entry, shape), constant(weights, (3, shape[-1])), _bias(entry, 3)),
            (variable(entry, (*shape[:-1], 3)),),
            table,
        )
    if op == "BATCH_MATMUL":
        shape = _shape(rank)
        second = (*shape[:-2], shape[-1], 3)
        table = Table("BatchMatMulOptions")
        return Operator(
            op, (variable(entry, shape), constant(weights, second)), (variable(entry, (*shape[:-1], 3)),), table
        )
    maps = variable(entry, (1, 4, 4, 2))
    if op == "TRANSPOSE_CONV":
        table = Table("TransposeConvOptions", {"stride_w": 2, "stride_h": 2})
        return Operator(
            op, (integers(1, 8, 8, 3), constant(weights, (3, 2, 2, 2)), maps), (variable(entry, (1, 8, 8, 3)),), table
        )
    strides = {"stride_w": 1, "stride_h": 1, "dilation_w_factor": 1, "dilation_h_factor": 1}
    if op == "DEPTHWISE_CONV_2D":
        table = Table("DepthwiseConv2DOptions", {"depth_multiplier": 1, **strides})
        return Operator(
            op, (maps, constant(weights, (1, 3, 3, 2)), _bias(entry, 2)), (variable(entry, (1, 4, 4, 2)),), table
        )
    table = Table("Conv2DOptions", strides)
    return Operator(
        op, (maps, constant(weights, (3, 3, 3, 2)), _bias(entry, 3)), (variable(entry, (1, 4, 4, 3)),), table
    )


_Maker = Callable[[str, str, int], Operator]
_FLOATS = ("FLOAT32", "FLOAT16")
_QUANTISED = ("INT8", "UINT8", "INT16")
_WHOLE = ("INT32", "INT64", "UINT32", "BOOL")
_ALL = _FLOATS + _QUANTISED + _WHOLE
_PAIRS = (
    "FLOAT32/FLOAT32", "FLOAT32/FLOAT16", "FLOAT32/INT8", "FLOAT32/INT4", "INT8/INT8", "INT8/INT4", "UINT8/UINT8",
    "INT16/INT8", "INT16/INT16",
)  # fmt: skip
_MIXED = ("INT8/FLOAT32", "FLOAT32/INT8", "INT16/FLOAT32", "FLOAT32/INT16")
_RANKS = tuple(range(1, 9))
_WITH_SCALARS = (0, *_RANKS)

# Operators, how to make their node, types, ranks, and the case when an operator has several.
FAMILIES: tuple[tuple[str, _Maker, tuple[str, ...], tuple[int, ...], str], ...] = (
    ("ABS NEG EXP LOG SQRT RSQRT SQUARE SIN COS FLOOR CEIL ROUND TANH LOGISTIC RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 "
     "ELU LEAKY_RELU HARD_SWISH GELU SOFTMAX LOG_SOFTMAX L2_NORMALIZATION ZEROS_LIKE SIGN LOGICAL_NOT",
     _unary, _ALL, _WITH_SCALARS, ""),
    ("ADD SUB MUL DIV MAXIMUM MINIMUM POW SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD LOGICAL_AND LOGICAL_OR",
     _binary, _ALL, _WITH_SCALARS, ""),
    ("ADD SUB MUL DIV MAXIMUM MINIMUM POW SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD", partial(_binary, ones=(-1,)),
     _ALL, _RANKS, "broadcast"),
    ("EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL", _compare, _ALL, _WITH_SCALARS, ""),
    ("EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL", partial(_compare, ones=(-1,)), _ALL, _RANKS, "broadcast"),
    ("EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL", _mixed, _MIXED, (1, 2, 3, 4), ""),
    ("EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL", partial(_mixed, ones=(-1,)), _MIXED, (1, 2, 3, 4),
     "broadcast"),
    # Kernels have a quick way for neighbouring axes, and another for axes that lie apart.
    ("ADD SUB MUL DIV MAXIMUM MINIMUM POW SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD", partial(_binary, ones=(-1, -3)),
     _ALL, _RANKS[2:], "broadcast apart"),
    ("EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL", partial(_compare, ones=(-1, -3)), _ALL, _RANKS[2:],
     "broadcast apart"),
    ("MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD REDUCE_ANY REDUCE_ALL", _reduce, _ALL, _RANKS, ""),
    ("ARG_MAX ARG_MIN", _arg, _ALL, _RANKS, ""),
    ("TRANSPOSE RESHAPE SLICE STRIDED_SLICE PAD PADV2 MIRROR_PAD TILE EXPAND_DIMS BROADCAST_TO REVERSE_V2 GATHER "
     "CONCATENATION PACK", _moved, _ALL, _RANKS, ""),
    ("SPLIT", _split, _ALL, _RANKS, ""), ("UNPACK", _unpack, _ALL, _RANKS, ""),
    ("SELECT SELECT_V2", _select, _ALL, _WITH_SCALARS, ""), ("CAST", _cast, _ALL, _WITH_SCALARS, ""),
    ("DEQUANTIZE", _dequantise, (*_QUANTISED, "FLOAT16"), _WITH_SCALARS, ""),
    ("QUANTIZE", _quantise, _QUANTISED, _WITH_SCALARS, ""),
    ("AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SPACE_TO_DEPTH SPACE_TO_BATCH_ND "
     "PRELU", _spatial, _ALL, (4,), ""),
    ("CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV", _weighted, _PAIRS, (4,), ""),
    ("FULLY_CONNECTED", _weighted, _PAIRS, (1, 2, 3, 4, 5, 6), ""),
    ("BATCH_MATMUL", _weighted, _PAIRS, (2, 3, 4, 5, 6), ""),
)  # fmt: skip


def constant_output_models() -> dict[tuple[str, str, int], bytes]:
    """Return files whose operator writes into stored values, by the operator, type and rank of their row in the table.

    `*` stands for any operator. A GATHER from a shape is another case: later runtimes compute it before they run.
    """
    tensor, stored = variable("FLOAT32", (2, 3)), constant("FLOAT32", (3, 2))
    image, shape = Tensor("FLOAT32", (1, 1, 2, 3, 2), "image"), Tensor("INT32", (5,), "shape")
    kept, result = constant("INT32", (4,), (1, 2, 3, 2)), Tensor("FLOAT32", (1, 2, 3, 2), "result")
    nodes = [
        Operator("SHAPE", (image,), (shape,), Table("ShapeOptions", {"out_type": 2})),
        Operator("GATHER", (shape, integers(1, 2, 3, 4)), (kept,), Table("GatherOptions", {})),
        Operator("RESHAPE", (image, kept), (result,)),
    ]
    return {
        ("*", "*", 0): single_op_model(Operator("RESHAPE", (tensor, integers(3, 2)), (stored,))),
        ("GATHER", "INT32", 1): write_model(Model([SubGraph([image], [result], nodes)])),
    }


def catalogue() -> list[tuple[Operator, str, int, str]]:
    """Return every small graph as (node, types, rank, case), each in the first version of its operator."""
    return [
        (maker(op, dtype, rank), dtype, rank, case)
        for ops, maker, dtypes, ranks, case in FAMILIES
        for op in ops.split()
        for dtype in dtypes
        for rank in ranks
    ]
