"""Will a TFLite file load in an old runtime? Told from the file alone, before any phone is at hand.

The table op_versions.csv gives the first TensorFlow release whose runtime has an operator in a version. It holds what
TensorFlow 2.19.1's own `FindMinimumRuntimeVersionForOp` returns, newer rows of its source, and three corrections: the
395 rows of 2.19.1 were loaded one by one in the tflite-runtime wheels 2.11.0 and 2.14.0, which agreed on all others.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.errors import CheckpointError, ConfigError
from distill.export.flatbuffer import Operator, read_graph

if TYPE_CHECKING:
    from rich.table import Table

Version = tuple[int, int, int]


def parse_version(text: str) -> Version:
    """`2.11` or `2.11.0` -> (2, 11, 0), so that 2.9 is older than 2.11.

    Raises:
        ConfigError: not a release of TensorFlow Lite.
    """
    if not re.fullmatch(r"[12]\.\d{1,3}(\.\d{1,3})?", text):
        raise ConfigError(f"'{text}' is not a TensorFlow Lite release: give one like 2.11.0")
    major, minor, *patch = (int(part) for part in text.split("."))
    return major, minor, patch[0] if patch else 0


@lru_cache
def op_table() -> dict[tuple[str, int], str]:
    """Return the first release of every known (operator, version)."""
    with (Path(__file__).parent / "op_versions.csv").open() as file:
        return {(row["op"], int(row["version"])): row["since"] for row in csv.DictReader(file)}


@dataclass(frozen=True)
class OpRow:
    """One operator in one version.

    Attributes:
        count: how many nodes use it.
        max_rank: highest rank of a tensor they touch.
        dtypes: element types of those tensors.
        since: first release that has it, or None when unknown.
        verdict: `ok`, `too new`, `unknown` (version not in the table) or `custom` (not part of the runtime, Flex too).
    """

    op: str
    version: int
    count: int
    max_rank: int
    dtypes: tuple[str, ...]
    since: str | None
    verdict: str

    @property
    def reason(self) -> str:
        """Why it fails, in words; empty when it does not."""
        label = f"{self.op} v{self.version}"
        return {
            "ok": "",
            "too new": f"{label} needs {self.since} (rank {self.max_rank}, {self.count} nodes)",
            "unknown": f"{label} is in no release known here",
            "custom": f"{label} is not a builtin operator: no plain runtime has it",
        }[self.verdict]


@dataclass(frozen=True)
class OpReport:
    """Every operator of a model against one runtime.

    Attributes:
        runtime: the release asked for.
        min_runtime: the oldest release that has every operator, None when one is custom or unknown.
        declared: the oldest release according to the file itself.
    """

    model: str
    runtime: str
    rows: tuple[OpRow, ...]
    min_runtime: str | None
    declared: str | None

    @property
    def failures(self) -> list[str]:
        return [row.reason for row in self.rows if row.verdict != "ok"]

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def exit_status(self) -> int:
        return 0 if self.passed else 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"passed": self.passed, "failures": self.failures}


def check_model(path: str | Path, runtime: str) -> OpReport:
    """Check every operator of a TFLite file against a runtime's release.

    Raises:
        CheckpointError: the file is missing, not a TFLite file or damaged.
        ConfigError: `runtime` is not a release.
    """
    target, path = parse_version(runtime), Path(path)
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); make one with `distill export`") from error
    graph = read_graph(blob, str(path))
    if not graph.operators:
        raise CheckpointError(f"{path}: a TFLite file without a single operator; export the model again")
    rows = _rows(graph.operators, target)
    known = [row.since for row in rows if row.since]
    oldest = max(known, key=parse_version) if len(known) == len(rows) else None
    return OpReport(path.name, runtime, rows, oldest, graph.min_runtime)


def _rows(operators: Iterable[Operator], target: Version) -> tuple[OpRow, ...]:
    groups: dict[tuple[str, int], list[Operator]] = defaultdict(list)
    for operator in operators:
        groups[operator.op, operator.version].append(operator)
    return tuple(_row(*key, groups[key], target) for key in sorted(groups))


def _row(op: str, version: int, nodes: list[Operator], target: Version) -> OpRow:
    since = op_table().get((op, version))
    if op.startswith("CUSTOM:"):
        verdict = "custom"
    elif since is None:
        verdict = "unknown"
    else:
        verdict = "ok" if parse_version(since) <= target else "too new"
    tensors = [tensor for node in nodes for tensor in node.tensors]
    rank = max((len(tensor.shape) for tensor in tensors), default=0)
    return OpRow(op, version, len(nodes), rank, tuple(sorted({tensor.dtype for tensor in tensors})), since, verdict)


def render(report: OpReport) -> "Table":
    """Return the report as a table for the terminal."""
    from rich.markup import escape
    from rich.table import Table

    verdict = "[green]passes[/]" if report.passed else "[red]fails[/]"
    oldest = f"oldest runtime {report.min_runtime or 'unknown'} (the file says {report.declared or 'nothing'})"
    table = Table(title=f"{escape(report.model)} {verdict} for {report.runtime}", caption=oldest)
    for heading in ("operator", "version", "nodes", "max rank", "types", "since", "verdict"):
        numeric = heading in ("version", "nodes", "max rank")
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in report.rows:
        cells = [row.op, row.version, row.count, row.max_rank, " ".join(row.dtypes), row.since or "?", row.verdict]
        table.add_row(*(escape(str(cell)) for cell in cells), style=None if row.verdict == "ok" else "red")
    return table
