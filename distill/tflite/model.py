"""Object model of a TFLite file: graphs, operators, tensors, buffers and signatures.

Tensors, buffers and operators refer to each other as objects, not by index; `write_model` numbers them. Two tensors are
the same only if they are the same object.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from distill.tflite.flatbuffer import Fields, Table

_MIN_RUNTIME = "min_runtime_version"
# Longer ones are no version.
_MAX_VERSION_LENGTH = 32


@dataclass(eq=False, slots=True)
class Buffer:
    """Bytes of constant tensors; several tensors may share them."""

    data: bytes | memoryview


@dataclass(eq=False, slots=True)
class Quantization:
    """Integers as numbers: (value - zero_point) * scale, with one pair or one for each index along `axis`."""

    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    axis: int = 0
    extra: Fields = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Tensor:
    """A tensor of a graph.

    Attributes:
        dtype: TFLite's name, such as FLOAT32.
        buffer: its values when it is constant.
        extra: fields of the schema that are kept as they are.
    """

    dtype: str
    shape: tuple[int, ...]
    name: str = ""
    buffer: Buffer | None = None
    quantization: Quantization | None = None
    extra: Fields = field(default_factory=dict)

    @property
    def n_scales(self) -> int:
        """Number of quantization scales; 0 when not quantized, more than 1 when quantized per channel."""
        return len(self.quantization.scale) if self.quantization else 0

    def values(self) -> NDArray | None:
        """Return the values of a constant tensor, None for one that is computed.

        Raises:
            TypeError, ValueError: a type that numpy does not have, or a buffer of another size.
        """
        if self.buffer is None:
            return None
        return np.frombuffer(self.buffer.data, np.dtype(self.dtype.lower())).reshape(self.shape)


@dataclass(eq=False, slots=True)
class Operator:
    """A node of a graph.

    Attributes:
        op: builtin operator name, or `CUSTOM:NAME`.
        inputs: constants and weights too; None for an optional one that is left out.
        options: table of the schema with the operator's settings.
        intermediates: tensors between its steps, of which only the quantization counts.
        extra: fields of the schema that are kept as they are.
    """

    op: str
    inputs: Sequence[Tensor | None]
    outputs: Sequence[Tensor]
    options: Table | None = None
    version: int = 1
    intermediates: Sequence[Tensor] = ()
    extra: Fields = field(default_factory=dict)

    @property
    def present_inputs(self) -> list[Tensor]:
        """The inputs that are not left out."""
        return [tensor for tensor in self.inputs if tensor is not None]

    @property
    def tensors(self) -> list[Tensor]:
        """The inputs that are not left out, and the outputs."""
        return [*self.present_inputs, *self.outputs]


@dataclass(eq=False, slots=True)
class SubGraph:
    """A graph with its operators in order of execution; tensors that only operators refer to may be left out."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    operators: list[Operator]
    tensors: list[Tensor] = field(default_factory=list)
    name: str = "main"
    extra: Fields = field(default_factory=dict)

    def all_tensors(self) -> list[Tensor]:
        """Return the listed tensors, then the others in order of use."""
        used = (tensor for node in self.operators for tensor in (*node.tensors, *node.intermediates))
        return list(dict.fromkeys((*self.tensors, *self.inputs, *self.outputs, *used)))


@dataclass(eq=False, slots=True)
class Signature:
    """Named inputs and outputs of a graph."""

    key: str
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    subgraph: int = 0


@dataclass(eq=False, slots=True)
class Model:
    """A TFLite file; the first of its graphs is the main one.

    Attributes:
        name: what errors call it.
        size: bytes of the file it was read from.
        extra: fields of the schema that are kept as they are.
    """

    subgraphs: list[SubGraph]
    metadata: dict[str, bytes] = field(default_factory=dict)
    signatures: list[Signature] = field(default_factory=list)
    description: str = ""
    name: str = "model"
    size: int = 0
    extra: Fields = field(default_factory=dict)

    @property
    def main(self) -> SubGraph:
        return self.subgraphs[0]

    @property
    def operators(self) -> list[Operator]:
        """The operators of every graph."""
        return [operator for graph in self.subgraphs for operator in graph.operators]

    def with_min_runtime(self, release: str) -> "Model":
        """Return the model with a note of the oldest runtime, as TensorFlow's converter leaves it."""
        note = release.encode().ljust(_MAX_VERSION_LENGTH, b"\0")
        return replace(self, metadata={**self.metadata, _MIN_RUNTIME: note})

    @property
    def min_runtime(self) -> str | None:
        """The oldest runtime according to the converter, or None when it left no note."""
        note = self.metadata.get(_MIN_RUNTIME, b"")[:_MAX_VERSION_LENGTH]
        return note.decode(errors="replace").rstrip("\0") or None
