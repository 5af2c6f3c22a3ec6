"""Numeric tables: columns with a name each and plain values, the same for trackers and for HTML pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """A table whose numbers are numbers.

    Attributes:
        columns: names; of numbers with their unit, such as `nme_percent`.
        rows: values; None where something was not measured.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def table_of(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return rows given as mappings as a table; a column that a row lacks is None there.

    Whole numbers in a column with fractions become fractions: a tracker expects one type in a column.
    """
    every = list(rows)
    columns = tuple(dict.fromkeys(name for row in every for name in row))
    by_column = [_one_type([row.get(name) for row in every]) for name in columns]
    return Table(columns, tuple(zip(*by_column, strict=True)) if every else ())


def _one_type(values: Sequence[Any]) -> list[Value]:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(kinds) > 1:
        return [None if value is None else str(value) for value in values]
    return list(values)
