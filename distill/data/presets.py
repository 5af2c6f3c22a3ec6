"""Official splits of public data sets, and the splits that a data set of one's own declares."""

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from distill.data.readers import parse_subsets, read_annotated
from distill.errors import ConfigError, suggest

_TABLE = Path(__file__).with_name("presets.yaml")
# What people call the subsets of a data set of their own.
SUBSET_NAMES = {
    "train": ("train", "training", "trainset"),
    "val": ("val", "valid", "validation", "valset", "dev"),
    "test": ("test", "testing", "testset"),
}


class Split(NamedTuple):
    """Subsets for training, validation and test; None where there is none."""

    train: str | None
    val: str | None
    test: str | None


def preset(name: str) -> dict[str, Any]:
    """Return `format`, `root` and the subsets `train`, `val`, `test` of a public data set, as far as it has them.

    Raises:
        ConfigError: unknown name.
    """
    table = _table()
    if name not in table:
        raise ConfigError(f"unknown --data.preset '{name}': {suggest(name, list(table))}")
    return dict(table[name])


def official_split(format: str, root: Path, name: str | None = None, scheme: str | None = None) -> Split:
    """Return the split that a data set declares.

    A public data set has its published split. Any other is read, and has the subsets that its annotations name
    `train`, `val` and `test`, or by a word of the same meaning, such as `training` and `validation`.

    Args:
        format: annotation format.
        root: folder of the data.
        name: preset; by default the one of the same name as the format.
        scheme: of the points, for files that only number them.
    """
    if name is not None or format in _table():
        public = preset(name or format)
        return Split(public.get("train"), public.get("val"), public.get("test"))
    return declared_split({record.subset for record in read_annotated(format, root, None, scheme)})


def declared_split(subsets: Collection[str]) -> Split:
    """Return the split that the names of subsets declare, such as `train` and `validation`."""
    return Split(*("+".join(sorted(set(subsets) & set(SUBSET_NAMES[role]))) or None for role in Split._fields))


def packed_split(source: str, name: str | None, subsets: Collection[str]) -> Split:
    """Return the split of faces that were read of a data set before, as far as they are of it.

    Args:
        source: annotation format of the data set.
        name: preset, as of `official_split`.
        subsets: of the faces.
    """
    if name is None and source not in _table():
        return declared_split(subsets)
    public = preset(name or source)
    present = [f"{subset}/" for subset in subsets]
    kept = (
        [name for name in public.get(role, "").split("+") if name and any(s.startswith(f"{name}/") for s in present)]
        for role in Split._fields
    )
    return Split(*("+".join(names) or None for names in kept))


def official_test_subsets(format: str, name: str | None = None) -> tuple[str, ...]:
    """Return the names of the official test subsets of a public data set, and `test` and its like for any other.

    Args:
        format: annotation format.
        name: preset; by default the one of the same name as the format.
    """
    public = _table().get(name or format, {"test": "+".join(SUBSET_NAMES["test"])})
    return tuple(filter(None, public.get("test", "").split("+")))


def require_no_test_subset(subset: str, test: Sequence[str]) -> None:
    """Refuse training subsets that hold test faces.

    Args:
        subset: names joined by `+`, or `all`.
        test: names of the test subsets.

    Raises:
        ConfigError: they do.
    """
    names = parse_subsets(subset)
    found = test if names is None else [other for name in names for other in test if _overlap(name, other)]
    if found:
        raise ConfigError(
            f"--data.subset {subset} trains on the test faces '{found[0]}': leave them out, or name the faces "
            "to test on with --data.test_subset"
        )


def _overlap(subset: str, other: str) -> bool:
    """Say whether one of two subsets is the other or a part of it: `helen` holds `helen/testset`."""
    return f"{subset}/".startswith(f"{other}/") or f"{other}/".startswith(f"{subset}/")


def preset_crop(format: str, scheme: str, name: str | None = None) -> dict[str, float]:
    """Return `scale` and `shift_y` that a public data set was measured with for a scheme; empty where there are none.

    Args:
        format: annotation format.
        scheme: landmark scheme to learn.
        name: preset; by default the one of the same name as the format.
    """
    crops: dict[str, dict[str, float]] = _table().get(name or format, {}).get("crops", {})
    return dict(crops.get(scheme, {}))


@cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return table
