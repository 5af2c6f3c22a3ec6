"""Decode and encode TFLite flatbuffers by their schema, as dictionaries of the fields that are present.

The generated classes of the runtimes follow offsets wherever they lead. Here every offset and length is checked, so
that any sequence of bytes gives a dictionary or one error. Layout: the "internals" page of flatbuffers' documentation.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from distill.errors import CheckpointError
from distill.tflite.schema import SCALARS, Field, Schema, schema

IDENTIFIER = b"TFL3"
Fields = dict[str, Any]

# Far above the largest published model; a table costs about a kilobyte while a model is read.
_MAX_TABLES = 300_000
_U16 = SCALARS["ushort"]
_U32 = SCALARS["uint"]
_I32 = SCALARS["int"]


class DamagedError(Exception):
    """An offset, a length or an index that leads out of the file."""


@dataclass(frozen=True)
class Table:
    """A table whose type its file states, such as the options of an operator.

    Attributes:
        name: of the table in the schema.
        fields: those that are present, by their names in the schema.
    """

    name: str
    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """Kind of a flatbuffer.

    Attributes:
        identifier: four bytes after the first offset.
        root: name of its first table.
        schema: file beside schema.py that describes it.
    """

    identifier: bytes
    root: str
    schema: str


TFLITE = Format(IDENTIFIER, "Model", "schema.fbs")


def decode(data: bytes, kind: Format = TFLITE) -> Fields:
    """Return the root table of a flatbuffer; vectors of bytes are views of `data`.

    Raises:
        DamagedError: not a flatbuffer, or a damaged one.
    """
    try:
        return _Decoder(data, schema(kind.schema)).table(_U32.unpack_from(data)[0], kind.root)
    except struct.error as error:
        raise DamagedError from error


class _Decoder:
    """Reader of one file, with limits on what the file may ask for.

    A crafted file shares a vector or a table a million times, an ordinary one does not: vectors together may be four
    times the file, and a table takes at least twelve bytes of it.
    """

    def __init__(self, data: bytes, described: Schema) -> None:
        self.data = data
        self.schema = described
        self.bytes_left = 4 * len(data) + 1024
        self.tables_left = min(len(data) // 12, _MAX_TABLES) + 64
        # Tables share vtables, so that most layouts are known already.
        self.layouts: dict[tuple[int, str], list[tuple[Field, int, Callable[[Field, int], Any]]]] = {}

    def table(self, start: int, name: str) -> Fields:
        self.tables_left -= 1
        if self.tables_left < 0:
            raise DamagedError
        vtable = start - _I32.unpack_from(self.data, start)[0]
        layout = self.layouts.get((vtable, name))
        if layout is None:
            layout = self.layouts[vtable, name] = self._layout(vtable, name)
        fields: Fields = {}
        for item, offset, read in layout:
            if item.type in self.schema.unions:
                fields[item.name] = self._union(item, start + offset, fields.pop(f"{item.name}_type", 0))
            else:
                fields[item.name] = read(item, start + offset)
        return fields

    def _layout(self, vtable: int, name: str) -> list[tuple[Field, int, Callable[[Field, int], Any]]]:
        """Return the fields that tables with this vtable have, where they lie, and how they are read."""
        if vtable < 0:
            raise DamagedError
        size, layout = _U16.unpack_from(self.data, vtable)[0], []
        for item in self.schema.tables[name].values():
            entry = 4 + 2 * item.slot
            offset = _U16.unpack_from(self.data, vtable + entry)[0] if entry + 2 <= size else 0
            if offset:
                layout.append((item, offset, self._reader(item)))
        return layout

    def _reader(self, item: Field) -> Callable[[Field, int], Any]:
        if item.is_vector:
            if item.type == "string":
                return self._strings
            return self._bytes if item.type == "ubyte" else self._scalars if item.type in SCALARS else self._tables
        if item.type in SCALARS:
            unpack = SCALARS[item.type].unpack_from
            return lambda _, position: unpack(self.data, position)[0]
        if item.type == "string":
            return lambda _, position: str(self._bytes(item, position), "utf-8", "replace")
        return lambda _, position: self.table(self._target(position), item.type)

    def _target(self, position: int) -> int:
        return position + _U32.unpack_from(self.data, position)[0]

    def _vector(self, position: int, width: int) -> tuple[int, int]:
        """Return (position of the first item, number of items)."""
        start = self._target(position)
        length = _U32.unpack_from(self.data, start)[0]
        self.bytes_left -= length * width
        if start + 4 + length * width > len(self.data) or self.bytes_left < 0:
            raise DamagedError
        return start + 4, length

    def _bytes(self, _: Field, position: int) -> memoryview:
        start, length = self._vector(position, 1)
        return memoryview(self.data)[start : start + length]

    def _scalars(self, item: Field, position: int) -> tuple[Any, ...]:
        start, length = self._vector(position, SCALARS[item.type].size)
        return struct.unpack_from(_format(item, length), self.data, start)

    def _strings(self, item: Field, position: int) -> list[str]:
        start, length = self._vector(position, 4)
        if length > self.tables_left:
            raise DamagedError
        ends = range(start, start + 4 * length, 4)
        return [str(self._bytes(item, each), "utf-8", "replace") for each in ends]

    def _tables(self, item: Field, position: int) -> list[Fields]:
        start, length = self._vector(position, 4)
        if length > self.tables_left:
            raise DamagedError
        return [self.table(self._target(each), item.type) for each in range(start, start + 4 * length, 4)]

    def _union(self, item: Field, position: int, number: int) -> Table | None:
        """Return the table of a union; one of a newer schema has no fields."""
        names = self.schema.unions[item.type]
        if number == 0:
            return None
        if number > len(names):
            return Table(f"{item.type} {number}")
        return Table(names[number - 1], self.table(self._target(position), names[number - 1]))


def encode(root: Mapping[str, Any], kind: Format = TFLITE) -> bytes:
    """Return the flatbuffer of a root table; fields that are None are left out.

    Raises:
        KeyError: a field that the schema does not have.
        CheckpointError: a table of a union that the schema does not have.
    """
    encoder = _Encoder(schema(kind.schema))
    encoder.data += _U32.pack(0) + kind.identifier
    encoder.point(0, encoder.table(kind.root, root))
    return bytes(encoder.data)


class _Encoder:
    """Writer of a file: a table comes first and what it refers to behind it, because offsets lead forward."""

    def __init__(self, described: Schema) -> None:
        self.data = bytearray()
        self.schema = described
        self.vtables: dict[bytes, int] = {}

    def point(self, position: int, target: int) -> None:
        _U32.pack_into(self.data, position, target - position)

    def align(self, width: int, ahead: int = 0) -> int:
        """Pad so that what comes after `ahead` further bytes is aligned; return the position."""
        self.data += bytes(-(len(self.data) + ahead) % width)
        return len(self.data)

    def table(self, name: str, values: Mapping[str, Any]) -> int:
        known = self.schema.tables[name]
        values = {key: value for key, value in values.items() if value is not None}
        types = {
            f"{key}_type": _number(self.schema, known[key].type, value.name)
            for key, value in values.items()
            if isinstance(value, Table)
        }
        # The widest first, so that each field is aligned when the first is.
        items = sorted(((known[key], value) for key, value in (values | types).items()), key=lambda i: -i[0].width)
        offsets, end = [], 4
        for item, _ in items:
            offsets.append(end)
            end += item.width
        vtable = self._vtable({item.slot: offset for (item, _), offset in zip(items, offsets, strict=True)}, end)
        start = self.align(8, 4)
        self.data += _I32.pack(start - vtable) + bytes(end - 4)
        for (item, value), offset in zip(items, offsets, strict=True):
            if item.type in SCALARS and not item.is_vector:
                SCALARS[item.type].pack_into(self.data, start + offset, value)
            else:
                self.point(start + offset, self._child(item, value))
        return start

    def _vtable(self, offsets: Mapping[int, int], size: int) -> int:
        """Return where a vtable of these offsets by slot lies; equal ones are shared."""
        count = max(offsets, default=-1) + 1
        entries = (offsets.get(slot, 0) for slot in range(count))
        content = struct.pack(f"<{2 + count}H", 4 + 2 * count, size, *entries)
        if content not in self.vtables:
            self.vtables[content] = self.align(2)
            self.data += content
        return self.vtables[content]

    def _child(self, item: Field, value: Any) -> int:
        if isinstance(value, Table):
            return self.table(value.name, value.fields)
        if isinstance(value, Mapping):
            return self.table(item.type, value)
        if item.type == "string" and not item.is_vector:
            return self._string(value)
        if item.type in SCALARS:
            content = value if item.type == "ubyte" else struct.pack(_format(item, len(value)), *value)
            return self._vector(len(value), content, max(SCALARS[item.type].size, item.align))
        start = self._vector(len(value), bytes(4 * len(value)), 4)
        for index, entry in enumerate(value):
            target = self._string(entry) if item.type == "string" else self.table(item.type, entry)
            self.point(start + 4 + 4 * index, target)
        return start

    def _string(self, text: str) -> int:
        return self._vector(len(text.encode()), text.encode() + b"\0", 1)

    def _vector(self, length: int, content: bytes, align: int) -> int:
        start = self.align(max(4, align), 4)
        self.data += _U32.pack(length)
        self.data += content
        return start


def _format(item: Field, length: int) -> str:
    return f"<{length}{SCALARS[item.type].format[1:]}"


def _number(described: Schema, union: str, table: str) -> int:
    names = described.unions[union]
    if table not in names:
        raise CheckpointError(f"a TFLite file with '{table}' cannot be changed: schema.fbs does not describe it")
    return names.index(table) + 1
