"""Edits of our own TFLite files that no converter offers: 8-bit weights for float arithmetic, islands of floats."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of each operator with weights: which input they are and along which of their axes the output channels lie.
_WEIGHTS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
_WEIGHT_INPUT = 1
# Smaller ones save nothing worth their rounding.
_LEAST = 1024
# The first version of DEQUANTIZE that has one scale per channel.
_PER_CHANNEL = 5


@dataclass
class _Model:
    """The one graph of a TFLite file, open for changes."""

    tree: Any
    graph: Any = field(init=False)

    def __post_init__(self) -> None:
        (self.graph,) = self.tree.subgraphs

    @classmethod
    def read(cls, blob: bytes) -> "_Model":
        from ai_edge_litert import schema_py_generated as schema

        return cls(schema.ModelT.InitFromPackedBuf(bytearray(blob)))

    def pack(self) -> bytes:
        import flatbuffers

        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.tree.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def name(self, node: Any) -> str:
        from ai_edge_litert import schema_py_generated as schema

        code = self.tree.operatorCodes[node.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        return next(name for name, value in vars(schema.BuiltinOperator).items() if value == number)

    def constant(self, index: int) -> NDArray | None:
        """Return the values of a constant tensor, None for one that is computed."""
        tensor = self.graph.tensors[index]
        data = self.tree.buffers[tensor.buffer].data
        if data is None or len(data) == 0:
            return None
        return np.frombuffer(np.asarray(data, np.uint8).tobytes(), _dtype(tensor.type)).reshape(tensor.shape)

    def add_tensor(self, like: int, name: bytes, values: NDArray | None = None) -> int:
        """Add a float tensor shaped as another one."""
        from ai_edge_litert import schema_py_generated as schema

        old, new = self.graph.tensors[like], schema.TensorT()
        new.shape, new.shapeSignature, new.hasRank = old.shape, old.shapeSignature, old.hasRank
        new.name, new.type = name, schema.TensorType.FLOAT32
        if values is not None:
            self.tree.buffers.append(schema.BufferT(data=np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)))
            new.buffer = len(self.tree.buffers) - 1
        self.graph.tensors.append(new)
        return len(self.graph.tensors) - 1

    def add_code(self, name: str, version: int) -> int:
        """Add an operator in a version and return its number."""
        from ai_edge_litert import schema_py_generated as schema

        number = getattr(schema.BuiltinOperator, name)
        self.tree.operatorCodes.append(schema.OperatorCodeT(min(number, 127), None, version, number))
        return len(self.tree.operatorCodes) - 1

    def node(self, code: int, given: int, taken: int) -> Any:
        """Return a new operator with one input and one output; the caller puts it in its place."""
        from ai_edge_litert import schema_py_generated as schema

        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = code, [given], [taken]
        return made

    def pack_constant(self, index: int, values: NDArray[np.float32], axis: int) -> None:
        """Round a constant to 8 bits, symmetric, with one scale for each place along an axis."""
        from ai_edge_litert import schema_py_generated as schema

        tensor, others = self.graph.tensors[index], tuple(other for other in range(values.ndim) if other != axis)
        scale = np.abs(values).max(others, keepdims=True) / 127
        scale[scale == 0] = 1
        rounded = np.rint(values / scale).astype(np.int8)
        self.tree.buffers[tensor.buffer].data = np.frombuffer(rounded.tobytes(), np.uint8)
        tensor.type = schema.TensorType.INT8
        tensor.quantization = schema.QuantizationParametersT(
            scale=scale.ravel().tolist(), zeroPoint=[0] * scale.size, quantizedDimension=axis
        )


def _dtype(number: int) -> np.dtype:
    from ai_edge_litert.schema_py_generated import TensorType

    names = {value: name for name, value in vars(TensorType).items() if isinstance(value, int)}
    return np.dtype(names[number].lower())


def pack_weights(blob: bytes) -> bytes:
    """Return a file with the weights of its float layers in 8 bits, one scale per output channel.

    Layers that compute in integers stay as they are. The runtime unpacks the others' weights when it loads the file and
    computes in 32-bit floats. Biases stay in 32 bits: XNNPACK takes a layer with 8-bit weights and a 16-bit bias out of
    its fast path, and the one of TensorFlow 2.19 refuses the file.
    """
    model = _Model.read(blob)
    code, unpacked, unpack = model.add_code("DEQUANTIZE", _PER_CHANNEL), dict[int, int](), []
    for node in model.graph.operators:
        name = model.name(node)
        if name not in _WEIGHTS or len(node.inputs) <= _WEIGHT_INPUT:
            continue
        index = int(node.inputs[_WEIGHT_INPUT])
        values = None if index in unpacked else model.constant(index)
        if values is not None and values.dtype == np.float32 and values.size >= _LEAST:
            unpacked[index] = model.add_tensor(index, model.graph.tensors[index].name + b"_float")
            model.pack_constant(index, values, _WEIGHTS[name])
            unpack.append(model.node(code, index, unpacked[index]))
        if index in unpacked:
            node.inputs = [unpacked.get(int(given), int(given)) for given in node.inputs]
    model.graph.operators = unpack + list(model.graph.operators)
    return model.pack()


def float_islands(blob: bytes, names: Iterable[str]) -> bytes:
    """Return an integer file in which the operators that write one of these tensors compute in floats.

    Their constants are unpacked, and DEQUANTIZE and QUANTIZE stand at the shores of each island.
    """
    return _Islands(_Model.read(blob), {name.encode() for name in names}).edited()


class _Islands:
    def __init__(self, model: _Model, names: set[bytes]) -> None:
        self.model, graph = model, model.graph
        # TensorFlow calls the integers behind a float output by its name and their type.
        names = names | {name + b"_int16" for name in names}
        self.inland = {
            id(node)
            for node in graph.operators
            if graph.tensors[node.outputs[0]].name in names and model.name(node) not in ("QUANTIZE", "DEQUANTIZE")
        }
        self.floats: dict[int, int] = {}  # integer tensor -> its float copy
        self.readers: dict[int, list[Any]] = {}
        for node in graph.operators:
            for index in node.inputs:
                self.readers.setdefault(int(index), []).append(node)
        codes = {model.name(node): node.opcodeIndex for node in graph.operators}
        self.codes = {name: codes[name] for name in ("QUANTIZE", "DEQUANTIZE")}

    def edited(self) -> bytes:
        graph, nodes = self.model.graph, list[Any]()
        for node in graph.operators:
            name, given, taken = self.model.name(node), int(node.inputs[0]), int(node.outputs[0])
            if name == "DEQUANTIZE" and given in self.floats:
                self._rename(taken, self.floats[given])
            elif name == "QUANTIZE" and given in self.floats:
                # From one integer scale to another, which on an island is no change at all.
                self.floats[taken] = self.floats[given]
                nodes += [node] if self._read_as_integers(taken) else []
            elif id(node) in self.inland:
                node.inputs = [self._as_float(int(index), nodes) for index in node.inputs]
                nodes.append(node)
                nodes += self._landed(node)
            else:
                nodes.append(node)
        graph.operators = nodes
        return self.model.pack()

    def _rename(self, old: int, new: int) -> None:
        """Let every reader of one float tensor read another."""
        for node in self.readers.get(old, []):
            node.inputs = [new if index == old else index for index in node.inputs]
        self.model.graph.outputs = [new if index == old else index for index in self.model.graph.outputs]
        self.model.graph.tensors[new].name = self.model.graph.tensors[old].name

    def _as_float(self, index: int, nodes: list[Any]) -> int:
        """Return the float copy of an integer tensor, made by a DEQUANTIZE before this place if there is none yet."""
        if index < 0:
            return index
        tensor = self.model.graph.tensors[index]
        scale = None if tensor.quantization is None else tensor.quantization.scale
        if scale is None or len(scale) == 0 or index in self.floats:
            return self.floats.get(index, index)
        values = self.model.constant(index)
        copy = self.model.add_tensor(
            index, tensor.name + b"_float", None if values is None else _unpacked(tensor, values)
        )
        if values is None:
            nodes.append(self.model.node(self.codes["DEQUANTIZE"], index, copy))
        self.floats[index] = copy
        return copy

    def _landed(self, node: Any) -> list[Any]:
        """Give an island's operator a float result, and return a QUANTIZE if integers read it."""
        old = int(node.outputs[0])
        tensor = self.model.graph.tensors[old]
        if tensor.quantization is None or tensor.quantization.scale is None or len(tensor.quantization.scale) == 0:
            return []
        copy = self.floats[old] = self.model.add_tensor(old, tensor.name + b"_float")
        node.outputs = [copy]
        return [self.model.node(self.codes["QUANTIZE"], copy, old)] if self._read_as_integers(old) else []

    def _read_as_integers(self, index: int) -> bool:
        """Whether anything but an island reads a tensor, straight or after a change of scale."""
        for node in self.readers.get(index, []):
            name = self.model.name(node)
            if name == "QUANTIZE" and self._read_as_integers(int(node.outputs[0])):
                return True
            if name not in ("QUANTIZE", "DEQUANTIZE") and id(node) not in self.inland:
                return True
        return False


def _unpacked(tensor: Any, values: NDArray) -> NDArray[np.float32]:
    """Return the numbers a quantised constant stands for."""
    scale, zero = np.array(tensor.quantization.scale), np.array(tensor.quantization.zeroPoint)
    shape = [1] * values.ndim
    if scale.size > 1:
        shape[tensor.quantization.quantizedDimension] = -1
    return ((values.astype(np.float64) - zero.reshape(shape)) * scale.reshape(shape)).astype(np.float32)
