"""Write TFLite files of one node: any operator in any version, with tensors of any type and shape.

The counterpart of flatbuffer.py, for asking runtimes what they take. It uses the schema classes LiteRT brings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_NUMPY: dict[str, Any] = {
    "FLOAT32": np.float32, "FLOAT16": np.float16, "INT32": np.int32, "INT64": np.int64, "INT8": np.int8,
    "UINT8": np.uint8, "INT16": np.int16, "BOOL": np.bool_, "UINT32": np.uint32,
}  # fmt: skip
# A scale that suits any kernel which has no wish of its own, and the ranges some insist on.
_ZERO = {"UINT8": 128}
_OUTPUT_SCALES = {
    ("LOGISTIC", "INT8"): (1 / 256, -128), ("LOGISTIC", "UINT8"): (1 / 256, 0), ("LOGISTIC", "INT16"): (1 / 32768, 0),
    ("SOFTMAX", "INT8"): (1 / 256, -128), ("SOFTMAX", "UINT8"): (1 / 256, 0), ("SOFTMAX", "INT16"): (1 / 32768, 0),
    ("TANH", "INT16"): (1 / 32768, 0), ("LOG_SOFTMAX", "INT8"): (16 / 256, 127),
    ("LOG_SOFTMAX", "UINT8"): (16 / 256, 255),
}  # fmt: skip


@dataclass(frozen=True)
class Side:
    """A tensor of the node: its type, shape, content when constant, and (scale, zero point) when quantised."""

    dtype: str
    shape: tuple[int, ...]
    content: tuple[float, ...] | None = None
    quantised: tuple[float, int] | None = None


@dataclass(frozen=True)
class Node:
    """A node: operator name (`CUSTOM:NAME` too), tensors, and the fields of its options in the schema."""

    op: str
    inputs: tuple[Side, ...]
    outputs: tuple[Side, ...]
    options: dict[str, Any] = field(default_factory=dict)
    version: int = 1


def write(node: Node) -> bytes:
    """Return the TFLite file of one node; inputs without content are the graph's inputs."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph, code, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT(), schema.OperatorT()
    model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], [code], [schema.BufferT()]
    custom = node.op.startswith("CUSTOM:")
    number = schema.BuiltinOperator.CUSTOM if custom else getattr(schema.BuiltinOperator, node.op)
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), node.version
    code.customCode = node.op.removeprefix("CUSTOM:").encode() if custom else None
    sides = (*node.inputs, *node.outputs)
    graph.tensors = [_tensor(schema, model, side, f"t{index}") for index, side in enumerate(sides)]
    graph.inputs = [index for index, side in enumerate(node.inputs) if side.content is None]
    graph.outputs = list(range(len(node.inputs), len(sides)))
    graph.operators, operator.opcodeIndex = [operator], 0
    operator.inputs, operator.outputs = list(range(len(node.inputs))), graph.outputs
    if node.options:
        fields = dict(node.options)
        name = fields.pop("table")
        operator.builtinOptions = getattr(schema, f"{name}T")()
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        for key, value in fields.items():
            setattr(operator.builtinOptions, key, value)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(schema: Any, model: Any, side: Side, name: str) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name.encode(), list(side.shape), getattr(schema.TensorType, side.dtype)
    if side.quantised:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [side.quantised[0]], [side.quantised[1]]
    if side.content is not None:
        buffer = schema.BufferT()
        if side.dtype == "INT4":  # two to a byte, and only zeros are ever stored here
            buffer.data = bytes((len(side.content) + 1) // 2)
        else:
            buffer.data = np.array(side.content, _NUMPY[side.dtype]).tobytes()
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    return tensor


def side(dtype: str, shape: Sequence[int], op: str = "") -> Side:
    """Return a variable tensor; quantised when its type is one of int8, uint8, int16."""
    scale = _OUTPUT_SCALES.get((op, dtype), (1 / 128, _ZERO.get(dtype, 0)))
    return Side(dtype, tuple(shape), None, scale if dtype in ("INT8", "UINT8", "INT16") else None)


def fixed(dtype: str, shape: Sequence[int], content: Sequence[float] | None = None) -> Side:
    """Return a constant tensor, of ones (zeros for int4) when no content is given."""
    values = content if content is not None else [0 if dtype == "INT4" else 1] * int(np.prod(shape))
    quantised = (1 / 128, _ZERO.get(dtype, 0)) if dtype in ("INT8", "UINT8", "INT16", "INT4") else None
    return Side(dtype, tuple(shape), tuple(values), quantised)


def integers(*values: int) -> Side:
    """Return a constant vector of int32."""
    return Side("INT32", (len(values),), tuple(values))


def redeclared(blob: bytes, op: str, version: int, other: int) -> bytes:
    """Return a TFLite file in which operator `op` of one version is declared in another."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytearray(blob), 0)
    number = getattr(schema.BuiltinOperator, op.partition(":")[0])
    for code in model.operatorCodes:
        name = code.customCode.decode() if code.customCode else ""
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number and name == op.partition(":")[2]:
            code.version = other if code.version == version else code.version
    builder = flatbuffers.Builder(len(blob))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
