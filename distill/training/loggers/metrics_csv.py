"""`metrics.csv`: one `step,name,value` row for every number of a run, in the order they were made."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError

HEADER = "step,name,value"
# Begins the names of the gradient norms of single terms of the loss.
TERM_GRADIENT = "train/grad_norm_"
Row = tuple[int, str, float]


def format_rows(rows: Iterable[Row]) -> str:
    """Return rows as lines of the file; values keep all their digits."""
    return "".join(f"{step},{name},{value!r}\n" for step, name, value in rows)


def read_rows(path: str | Path) -> list[Row]:
    """Return the rows as (step, name, value); a last line that a kill cut short does not count.

    Raises:
        ConfigError: no such file, or not a metrics.csv.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; give the metrics.csv of a run")
    text = path.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()
    if not lines or lines[0] != HEADER:
        raise ConfigError(f"{path}: does not begin with '{HEADER}'; give the metrics.csv of a run")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        try:
            step, name, value = line.split(",")
            rows.append((int(step), name, float(value)))
        except ValueError as error:
            raise ConfigError(
                f"{path}: line {number} is no step,name,value but {line[:60]!r}; fix or drop it"
            ) from error
    return rows


def read_curve(path: str | Path, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (steps, values) of one name; both are empty when it was never recorded."""
    pairs = [(step, value) for step, recorded, value in read_rows(path) if recorded == name]
    values = np.array(pairs, np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]


def value_names(path: str | Path) -> list[str]:
    """Return the names of all values a file holds, in the order they first appear."""
    return list(dict.fromkeys(name for _, name, _ in read_rows(path)))
