"""Advice on an operator: why a file has it in this version, and what to change for an older runtime.

The reasons are those of TensorFlow's converter for a version (tensorflow/lite/tools/versioning/op_version.cc).
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Advice:
    """Attributes:
    why: what in a network leads to the operator.
    change: what to do instead.
    """

    why: str
    change: str


@lru_cache
def _table() -> dict[tuple[str, str], Advice]:
    with (Path(__file__).parent / "op_advice.csv").open(newline="") as file:
        return {(row["op"], row["version"]): Advice(row["why"], row["change"]) for row in csv.DictReader(file)}


def advise(op: str, version: int, verdict: str = "") -> Advice:
    """Return the advice on an operator in a version.

    Args:
        verdict: of `OpRow`; with `type` or `constant` it is not refused for its version.
    """
    group = op.partition("_")[0] if op.startswith("STABLEHLO") else op
    if op.startswith("CUSTOM:"):
        group = "FLEX" if op.startswith("CUSTOM:Flex") else "CUSTOM"
    table = _table()
    if verdict in ("type", "constant"):
        return table["TYPES" if verdict == "type" else "CONSTANT", "*"]
    return table.get((op, str(version))) or table.get((group, "*")) or table["*", "*"]
