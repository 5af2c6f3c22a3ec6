"""Layout of a TFLite file: tables, fields, unions and enumerations, read from schema.fbs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from struct import Struct

SCALARS: Mapping[str, Struct] = {
    name: Struct(f"<{code}")
    for name, code in {
        "bool": "?", "byte": "b", "ubyte": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "long": "q",
        "ulong": "Q", "float": "f", "double": "d",
    }.items()
}  # fmt: skip
# Beginnings of the names of values that a newer schema has.
_UNKNOWN = {"BuiltinOperator": "BUILTIN_", "TensorType": "TYPE_"}
_NOT_OPERATORS = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a table.

    Attributes:
        slot: its number in the table.
        type: a key of `SCALARS`, `string`, or the name of a table or union.
        is_vector: whether it holds any number of them.
        align: alignment in bytes of a vector's items, when it is larger than their own.
    """

    name: str
    slot: int
    type: str
    is_vector: bool = False
    align: int = 1

    @property
    def width(self) -> int:
        """Bytes in the table: the value of a scalar, else an offset."""
        return 4 if self.is_vector or self.type not in SCALARS else SCALARS[self.type].size


@dataclass(frozen=True)
class Schema:
    """The format: fields by table, table names by union (the first has number 1), values of enumerations by name.

    The number of a union's table lies in a field of its own, `NAME_type` before `NAME`.
    """

    tables: Mapping[str, Mapping[str, Field]]
    unions: Mapping[str, tuple[str, ...]]
    enums: Mapping[str, Mapping[str, int]]


@lru_cache
def schema(file: str = "schema.fbs") -> Schema:
    """Return the schema of TFLite files, version 3, or that of another file beside it."""
    text = re.sub(r"//.*", "", Path(__file__).with_name(file).read_text())
    found: dict[str, dict[str, str]] = {"enum": {}, "union": {}, "table": {}}
    for kind, name, body in re.findall(r"(enum|union|table)\s+(\w+)[^{]*\{([^}]*)\}", text):
        found[kind][name] = body
    unions = {name: tuple(re.findall(r"\w+", body)) for name, body in found["union"].items()}
    enums = {
        name: {key: int(value) for key, value in re.findall(r"(\w+)\s*=\s*(-?\d+)", body)}
        for name, body in found["enum"].items()
    }
    return Schema({name: _fields(body, unions) for name, body in found["table"].items()}, unions, enums)


def _fields(body: str, unions: Mapping[str, tuple[str, ...]]) -> dict[str, Field]:
    """Return the fields of a table that are in use; their defaults are left to the reader."""
    fields: dict[str, Field] = {}
    slot = 0
    for name, opening, kind, rest in re.findall(r"(\w+)\s*:\s*(\[?)(\w+)\]?([^;]*);", body):
        if kind in unions:
            fields[f"{name}_type"] = Field(f"{name}_type", slot, "ubyte")
            slot += 1
        align = re.search(r"force_align:\s*(\d+)", rest)
        if "deprecated" not in rest:
            fields[name] = Field(name, slot, kind, bool(opening), int(align[1]) if align else 1)
        slot += 1
    return fields


def value_name(enum: str, number: int) -> str:
    """Return the name of an enumeration's value; one of a newer schema is called `BUILTIN_300` or `TYPE_30`."""
    return _names(enum).get(number) or f"{_UNKNOWN[enum]}{number}"


def value_number(enum: str, name: str) -> int:
    """Return the value of a name that `value_name` returns.

    Raises:
        KeyError: no such name.
    """
    prefix = _UNKNOWN[enum]
    return int(name.removeprefix(prefix)) if name.startswith(prefix) else schema().enums[enum][name]


@lru_cache
def _names(enum: str) -> Mapping[int, str]:
    return {number: name for name, number in schema().enums[enum].items()}


def builtin_operators() -> tuple[str, ...]:
    """Return every operator of the schema, without the codes that stand for something else."""
    return tuple(name for name in schema().enums["BuiltinOperator"] if name not in _NOT_OPERATORS)
