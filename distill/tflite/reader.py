"""Read what a TFLite file is made of, without any runtime: operators, versions, tensors.

A reader of our own because the runtimes' own crash on damaged files and the generated schema classes follow offsets
wherever they lead. Every offset and length is checked here, so any sequence of bytes gives a graph or one error.
Layout: flatbuffers' internals document; field numbers: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from distill.errors import CheckpointError

Item = TypeVar("Item")

# Far above the largest published model; each costs about a kilobyte while a graph is read.
_MAX_TABLES = 300_000
_MAX_NOTE = 32


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph: its name, shape and TFLite type name.

    Attributes:
        n_scales: quantisation scales it has; 0 when not quantised, more than 1 when quantised per channel.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    n_scales: int = 0


@dataclass(frozen=True)
class Operator:
    """A node: builtin operator name (or `CUSTOM:NAME`), version, and the tensors it reads and writes.

    Attributes:
        inputs: constants and weights too; optional ones that are left out are not among them.
    """

    op: str
    version: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.inputs + self.outputs


@dataclass(frozen=True)
class Graph:
    """The interface of a TFLite file's main graph, and the operators of every graph in it.

    Attributes:
        min_runtime: the oldest runtime according to the converter, or None when it left no note.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    min_runtime: str | None


_NOT_OPERATORS = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")

# Inputs, outputs and nodes of one graph.
_Parts = tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Operator, ...]]


class _DamagedError(Exception):
    """An offset or a length that leads out of the file."""


class _Budget:
    """What a file may still ask for: a crafted one shares a vector or a table a million times, an honest one does not.

    Vectors together may be four times the file, and a table takes at least twelve bytes of it.
    """

    def __init__(self, data: bytes) -> None:
        self.bytes_left, self.tables_left = 4 * len(data) + 1024, min(len(data) // 12, _MAX_TABLES) + 64

    def spend(self, amount: int, tables: int = 0) -> None:
        self.bytes_left -= amount
        self.tables_left -= tables
        if self.bytes_left < 0 or self.tables_left < 0:
            raise _DamagedError


@dataclass(frozen=True, slots=True)
class _Table:
    """A flatbuffers table at `start` of `data`."""

    data: bytes
    start: int
    budget: _Budget

    def _at(self, position: int, kind: str) -> int:
        try:
            if position < 0:
                raise _DamagedError
            value: int = struct.unpack_from("<" + kind, self.data, position)[0]
        except struct.error as error:
            raise _DamagedError from error
        return value

    def _field(self, number: int) -> int | None:
        """Return where field `number` lies, or None when it is left at its default."""
        table = self.start - self._at(self.start, "i")
        entry = 4 + 2 * number
        offset = self._at(table + entry, "H") if entry < self._at(table, "H") else 0
        return self.start + offset if offset else None

    def scalar(self, number: int, kind: str, default: int = 0) -> int:
        position = self._field(number)
        return default if position is None else self._at(position, kind)

    def _vector(self, number: int, width: int) -> tuple[int, int]:
        """Return (position of the first item, number of items)."""
        position = self._field(number)
        if position is None:
            return 0, 0
        start = position + self._at(position, "I")
        length = self._at(start, "I")
        if start + 4 + length * width > len(self.data):
            raise _DamagedError
        self.budget.spend(length * width)
        return start + 4, length

    def bytes(self, number: int) -> bytes:
        start, length = self._vector(number, 1)
        return self.data[start : start + length]

    def text(self, number: int) -> str:
        return self.bytes(number).decode(errors="replace")

    def integers(self, number: int) -> tuple[int, ...]:
        start, length = self._vector(number, 4)
        return struct.unpack_from(f"<{length}i", self.data, start)

    def tables(self, number: int, read: Callable[["_Table"], Item]) -> tuple[Item, ...]:
        start, length = self._vector(number, 4)
        self.budget.spend(0, length)
        positions = range(start, start + 4 * length, 4)
        return tuple(read(_Table(self.data, position + self._at(position, "I"), self.budget)) for position in positions)

    def table(self, number: int) -> "_Table | None":
        """Return the table a field holds, or None when it is left out."""
        position = self._field(number)
        return None if position is None else _Table(self.data, position + self._at(position, "I"), self.budget)

    def length(self, number: int) -> int:
        """Return how many items of four bytes a vector has."""
        return self._vector(number, 4)[1]


@lru_cache
def _names(file: str) -> dict[int, str]:
    """Read a `number,name` table of the schema's enumerations."""
    lines = (Path(__file__).parent / file).read_text().split()
    return {int(number): name for number, name in (line.split(",") for line in lines)}


def builtin_names() -> tuple[str, ...]:
    """Return every operator of the schema, without the two codes that stand for something else."""
    return tuple(name for name in _names("builtin_ops.csv").values() if name not in _NOT_OPERATORS)


def read_graph(blob: bytes, name: str) -> Graph:
    """Read the graph of a TFLite file.

    Args:
        blob: the file's content.
        name: what to call it in an error.

    Raises:
        CheckpointError: not a TFLite file, or a damaged one.
    """
    if blob[4:8] != b"TFL3":
        kind = "an HTML page" if blob.lstrip()[:1] == b"<" else f"{len(blob)} bytes without the TFL3 mark"
        raise CheckpointError(f"{name}: not a TFLite file ({kind}); export the model again or copy it in full")
    try:
        return _read(_Table(blob, struct.unpack_from("<I", blob)[0], _Budget(blob)))
    except (_DamagedError, IndexError) as error:
        raise CheckpointError(f"{name}: damaged TFLite file; export the model again or copy it in full") from error


def _read(model: _Table) -> Graph:
    codes = model.tables(1, _code)
    graphs = model.tables(2, lambda graph: _graph(graph, codes))
    if not graphs:
        raise _DamagedError
    notes = dict(model.tables(6, lambda entry: (entry.text(0), entry.scalar(1, "I"))))
    if "min_runtime_version" in notes:
        buffers = model.tables(4, lambda buffer: buffer)
        note = buffers[notes["min_runtime_version"]].text(0)[:_MAX_NOTE].rstrip("\0")
    else:
        note = ""
    operators = tuple(operator for _, _, nodes in graphs for operator in nodes)
    return Graph(graphs[0][0], graphs[0][1], operators, note or None)


def _code(code: _Table) -> tuple[str, int]:
    # Two fields: files made before operator 127 existed have the first only, newer ones the larger of both.
    number = max(code.scalar(0, "b"), code.scalar(3, "i"))
    name = _names("builtin_ops.csv").get(number, f"BUILTIN_{number}")
    return (f"CUSTOM:{code.text(1)}" if name == "CUSTOM" else name), code.scalar(2, "i", default=1)


def _graph(graph: _Table, codes: tuple[tuple[str, int], ...]) -> _Parts:
    tensors = graph.tables(0, _tensor)

    def pick(indices: tuple[int, ...]) -> tuple[Tensor, ...]:
        # -1 stands for an optional input that is left out.
        if any(index < -1 for index in indices):
            raise _DamagedError
        return tuple(tensors[index] for index in indices if index != -1)

    def operator(node: _Table) -> Operator:
        op, version = codes[node.scalar(0, "I")]
        return Operator(op, version, pick(node.integers(1)), pick(node.integers(2)))

    return pick(graph.integers(1)), pick(graph.integers(2)), graph.tables(3, operator)


def _tensor(tensor: _Table) -> Tensor:
    number, quantisation = tensor.scalar(1, "b"), tensor.table(4)
    dtype = _names("tensor_types.csv").get(number, f"TYPE_{number}")
    return Tensor(tensor.text(3), tensor.integers(0), dtype, quantisation.length(2) if quantisation else 0)
