"""Count what a TFLite file computes, and cut it in two where heatmaps become points.

Works on anyone's file: the figures come from the tensors' shapes, not from the network it was made of.
"""

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from distill.errors import CheckpointError, ConfigError
from distill.tflite.reader import read_graph

Shape = tuple[int, ...]

# The last input of these is a bias: integers in a quantised file, and a parameter all the same.
_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D")
# Values of a tensor that are indices and sizes, not weights.
_INDEX_TYPES = ("INT32", "INT64", "BOOL", "STRING")


@lru_cache
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


def schema() -> Any:
    """Return the generated schema classes that come with the runtime, or with tensorflow.

    Raises:
        ConfigError: neither is installed.
    """
    for module in ("ai_edge_litert.schema_py_generated", "tensorflow.lite.python.schema_py_generated"):
        try:
            return import_module(module)
        except ImportError:
            continue
    raise ConfigError("no TFLite schema is installed; run `pip install ai-edge-litert`")


@lru_cache
def _names(enumeration: str) -> dict[int, str]:
    return {value: name for name, value in vars(getattr(schema(), enumeration)).items() if isinstance(value, int)}


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Tell what the schema's classes and the arithmetic on shapes throw at a damaged file in one line."""
    try:
        yield
    except (IndexError, KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError, struct.error) as error:
        raise CheckpointError(f"{name}: damaged TFLite file ({error!r}); export or download it again") from error


class Node(NamedTuple):
    """An operator: its name, and the indices of the tensors it reads (-1: left out) and writes."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TFLiteGraph:
    """The main graph of a TFLite file.

    Attributes:
        model: the schema's own objects, which can be changed and packed again.
        nodes: in the order of execution.
        bytes: of the file.
        name: what errors call it.
    """

    model: Any
    nodes: tuple[Node, ...]
    bytes: int
    name: str

    @classmethod
    def read(cls, path: str | Path) -> "TFLiteGraph":
        """Read a file.

        Raises:
            CheckpointError: missing, not TFLite, or damaged.
            ConfigError: no schema is installed.
        """
        path = Path(path)
        try:
            blob = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror}); give a .tflite file") from error
        read_graph(blob, str(path))  # the schema's classes follow offsets blindly; this looks where they lead
        with _damage(str(path)):
            model = schema().ModelT.InitFromPackedBuf(blob, 0)
            codes = [_op_name(code) for code in model.operatorCodes]
            nodes = tuple(
                Node(codes[op.opcodeIndex], _integers(op.inputs), _integers(op.outputs))
                for op in model.subgraphs[0].operators or []
            )
        return cls(model, nodes, len(blob), str(path))

    @property
    def inputs(self) -> tuple[int, ...]:
        return _integers(self.model.subgraphs[0].inputs)

    @property
    def outputs(self) -> tuple[int, ...]:
        return _integers(self.model.subgraphs[0].outputs)

    def shape(self, tensor: int) -> Shape:
        return _integers(self.model.subgraphs[0].tensors[tensor].shape)

    def dtype(self, tensor: int) -> str:
        return _names("TensorType")[self.model.subgraphs[0].tensors[tensor].type]

    def is_stored(self, tensor: int) -> bool:
        """Whether the tensor's values lie in the file."""
        data = self.model.buffers[self.model.subgraphs[0].tensors[tensor].buffer].data
        return data is not None and len(data) > 0

    def constants(self) -> set[int]:
        """Return the tensors whose values do not depend on the input: stored, or computed from stored ones."""
        known = {index for index in range(len(self.model.subgraphs[0].tensors)) if self.is_stored(index)}
        for node in self.nodes:
            if all(tensor in known or tensor < 0 for tensor in node.inputs):
                known.update(node.outputs)
        return known

    def describe_input(self) -> str:
        """Return the inputs as `128x128x3 float32`."""
        parts = (
            "x".join(map(str, self.shape(i)[1:] or self.shape(i))) + " " + self.dtype(i).lower() for i in self.inputs
        )
        return ", ".join(parts)


def _op_name(code: Any) -> str:
    # Two fields: files made before operator 127 existed have the first only, newer ones the larger of both.
    name = _names("BuiltinOperator")[max(code.deprecatedBuiltinCode, code.builtinCode)]
    if name != "CUSTOM":
        return name
    custom = code.customCode
    return f"CUSTOM:{custom.decode(errors='replace') if isinstance(custom, bytes) else custom}"


def _integers(values: Iterable[Any] | None) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values)


def tflite_complexity(graph: TFLiteGraph) -> Complexity:
    """Count parameters, MACs and bytes of a file.

    MACs are those of convolutions (plain, depthwise, transposed, 3-D), dense layers and matrix products, all else is
    free, as in `complexity`. Parameters are the stored values that are not indices: weights, biases, and the tables
    a converter adds.

    Raises:
        CheckpointError: operators and shapes that contradict each other.
    """
    with _damage(graph.name):
        macs = sum(node_macs(graph, node) for node in graph.nodes)
        return Complexity(_parameters(graph), macs, graph.bytes)


def node_macs(graph: TFLiteGraph, node: Node) -> int:
    """Return the multiply-accumulates of one operator."""
    shapes = [graph.shape(tensor) if tensor >= 0 else () for tensor in node.inputs]
    made = prod(graph.shape(node.outputs[0])) if node.outputs else 0
    match node.op:
        case "CONV_2D":  # weights (out, h, w, in of a group)
            return made * prod(shapes[1][1:])
        case "DEPTHWISE_CONV_2D":  # weights (1, h, w, out)
            return made * prod(shapes[1][1:3])
        case "FULLY_CONNECTED":  # weights (out, in)
            return made * shapes[1][-1]
        case "BATCH_MATMUL":  # (..., m, k) or its transpose, and (..., k, n): k is what the result lacks
            return made * (prod(shapes[0][-2:]) // graph.shape(node.outputs[0])[-2]) if made else 0
        case (
            "TRANSPOSE_CONV"
        ):  # inputs: shape, weights (out, h, w, in), image; each pixel meets every weight of its channel
            return prod(shapes[2]) * prod(shapes[1][:3])
        case "CONV_3D":  # weights (depth, h, w, in, out)
            return made * prod(shapes[1][:4])
        case _:
            return 0


def _parameters(graph: TFLiteGraph) -> int:
    biases = {node.inputs[2] for node in graph.nodes if node.op in _LAYERS and len(node.inputs) > 2}
    biases -= {node.inputs[2] for node in graph.nodes if node.op == "TRANSPOSE_CONV"}  # there the third is the image
    tensors = graph.model.subgraphs[0].tensors
    stored = {
        tensor.buffer: prod(graph.shape(index))
        for index, tensor in enumerate(tensors)
        if graph.is_stored(index) and (index in biases or graph.dtype(index) not in _INDEX_TYPES)
    }  # by buffer, because converters let equal tensors share one
    return sum(stored.values())


def uncounted(graph: TFLiteGraph) -> list[str]:
    """Return the custom operators, whose MACs nobody here knows."""
    return sorted({node.op.removeprefix("CUSTOM:") for node in graph.nodes if node.op.startswith("CUSTOM:")})


@dataclass(frozen=True)
class Halves:
    """A heatmap model cut where the maps are done: two TFLite files, of which the second takes the maps as input.

    Attributes:
        maps: shape of the maps, (1, h, w, k) as a rule.
    """

    net: bytes
    decode: bytes
    maps: Shape


def split_decode(graph: TFLiteGraph) -> Halves | None:
    """Cut a model into the network up to its heatmaps and the decode that makes points of them.

    The cut is the earliest place where the input's only way to the output is one tensor that has an axis for the k
    points of the output (1, k, 2) and several values for each, with nothing after it but small products: no
    convolution, no dense layer with more than 3 values a point. None where there is no such place, as in models that
    regress the points.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    shape = graph.shape(graph.outputs[0])
    if len(shape) != 3 or shape[-1] != 2:
        return None
    constants = graph.constants()
    last = max((i for i, node in enumerate(graph.nodes) if _is_network(graph, node, shape[1])), default=-1)
    for index in range(max(last, 0), len(graph.nodes) - 1):
        alive = _alive_after(graph, index, constants)
        if len(alive) == 1 and _are_maps(graph.shape(next(iter(alive))), shape[1]):
            maps = alive.pop()
            net = extract(graph, range(index + 1), graph.inputs, (maps,))
            decode = extract(graph, _needed(graph, index + 1, constants), (maps,), graph.outputs)
            return Halves(net, decode, graph.shape(maps))
    return None


def _is_network(graph: TFLiteGraph, node: Node, points: int) -> bool:
    """Whether an operator belongs before the maps."""
    if node.op == "FULLY_CONNECTED":
        return prod(graph.shape(node.outputs[0])) > 3 * points
    return node.op in _LAYERS


def _are_maps(shape: Shape, points: int) -> bool:
    return points in shape[1:] and prod(shape) // points > 3


def _alive_after(graph: TFLiteGraph, index: int, constants: set[int]) -> set[int]:
    """Return the tensors made up to operator `index`, or given, that are still needed after it."""
    made = {tensor for node in graph.nodes[: index + 1] for tensor in node.outputs} | set(graph.inputs)
    used = {tensor for node in graph.nodes[index + 1 :] for tensor in node.inputs} | set(graph.outputs)
    return (made & used) - constants


def _needed(graph: TFLiteGraph, start: int, constants: set[int]) -> list[int]:
    """Return the operators from `start` on, and the earlier ones that compute constants for them."""
    wanted = {tensor for node in graph.nodes[start:] for tensor in node.inputs} & constants
    keep = list(range(start, len(graph.nodes)))
    for index in range(start - 1, -1, -1):
        node = graph.nodes[index]
        if wanted & set(node.outputs):
            wanted.update(node.inputs)
            keep.insert(0, index)
    return keep


def extract(graph: TFLiteGraph, nodes: Iterable[int], inputs: tuple[int, ...], outputs: tuple[int, ...]) -> bytes:
    """Return a TFLite file of some operators, with other inputs and outputs; weights it does not use stay out."""
    model = schema().ModelT.InitFromPackedBuf(pack(graph.model), 0)
    part = model.subgraphs[0]
    part.operators = [part.operators[index] for index in nodes]
    part.inputs, part.outputs = list(inputs), list(outputs)
    used = {int(tensor) for op in part.operators for tensor in (*op.inputs, *op.outputs)}
    kept = {part.tensors[tensor].buffer for tensor in used if tensor >= 0}
    for index, buffer in enumerate(model.buffers):
        if index not in kept:
            buffer.data = None
    model.signatureDefs, model.metadata = [], []
    return pack(model)


def pack(model: Any) -> bytes:
    """Return the file of a schema's model."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
