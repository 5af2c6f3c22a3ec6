"""Official splits of public data sets, and the splits that a data set of one's own declares."""

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from distill.data.readers import read_faces
from distill.errors import ConfigError, suggest

Role = Literal["train", "val", "test"]
_TABLE = Path(__file__).with_name("presets.yaml")


@cache
def list_presets() -> tuple[str, ...]:
    """Return the names of the data sets with an official split."""
    return tuple(_table())


def preset(name: str) -> dict[str, Any]:
    """Return `format`, `root`, subsets by role and, where it is not the default, `scheme` of a public data set.

    Raises:
        ConfigError: unknown name.
    """
    table = _table()
    if name not in table:
        raise ConfigError(f"unknown --data.preset '{name}': {suggest(name, list(table))}")
    return dict(table[name])


def official_subset(format: str, root: Path, role: Role, name: str | None = None) -> str | None:
    """Return the subset of a data set for training, validation or testing, None where it declares none.

    A public data set has its published split. Any other is read, and has the subsets that its annotations name
    `train`, `val` and `test`.

    Args:
        format: annotation format.
        root: folder of the data.
        role: what the faces are for.
        name: preset; by default the one of the same name as the format.
    """
    if name is not None or format in _table():
        found: str | None = preset(name or format).get(role)
        return found
    return role if role in {record.subset for record in read_faces(format, root)} else None


@cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return table
