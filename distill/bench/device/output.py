"""Read what TensorFlow Lite's `benchmark_model` prints: times, memory, what the delegate took, time per operator.

The formats are those of `tensorflow/lite/tools/benchmark` (from 2.3, which has no prefixes and no medians, to LiteRT)
and of `tensorflow/core/util/stats_calculator`.
"""

import re
from dataclasses import dataclass

_PREFIX = re.compile(r"^(?:INFO|WARN|WARNING|ERROR|VERBOSE): ?")
_COUNT = re.compile(r"count=(?P<count>\d+)(?P<fields>(?: \w+=[^ ]+)*)")
_INIT = re.compile(r"Initialized session in ([\d.eE+]+) ?ms")
_MEMORY = re.compile(r"(?:Memory footprint delta|Peak memory footprint).*overall=([\d.eE+]+)")
_APPLIED = re.compile(
    r"Explicitly applied (?P<name>.+?) delegate, and the model graph will be (?P<share>completely|partially) executed"
    r"(?: by the delegate w/ (?P<kernels>\d+))?"
)
_NOT_APPLIED = re.compile(r"Though (.+?) delegate is explicitly applied, the model graph will not be executed")
_REPLACED = re.compile(r"Replacing (\d+) out of (\d+) node")
_REGULAR = "Operator-wise Profiling Info for Regular Benchmark Runs:"
_INTERNAL = "Delegate internal:"
_SUMMARY = "Summary by node type"
_COLUMNS = 7
_ERROR = re.compile(r"error|fail|unsupported|not supported|cannot|can't|denied|not found", re.IGNORECASE)
_LAST_WORDS = ("Benchmarking failed.", "STARTING!")


@dataclass(frozen=True)
class OperatorTime:
    """Time of all operators of one type in one inference, in ms, and its share of the whole."""

    type: str
    count: int
    ms: float
    percent: float


@dataclass(frozen=True)
class Runs:
    """A line `count=...` of the output; times in ms. The median is the average where the tool does not print it."""

    count: int
    median_ms: float
    average_ms: float
    first_ms: float


@dataclass(frozen=True)
class Output:
    """What one call of `benchmark_model` measured.

    Attributes:
        warmup: runs before the timed ones.
        runs: the timed ones.
        init_ms: time to load the file and prepare the delegate.
        memory_bytes: footprint that the run added; None where the tool does not print it.
        delegated: `all`, `N kernels` or `nothing`, what the delegate executes; None without a line about one.
        nodes: nodes of the graph that the delegate replaced, and all of them, where the tool prints them.
        operators: of a run with profiling, the slowest first.
    """

    warmup: Runs
    runs: Runs
    init_ms: float | None
    memory_bytes: int | None
    delegated: str | None
    nodes: tuple[int, int] | None
    operators: tuple[OperatorTime, ...]


def parse_output(text: str) -> Output | None:
    """Return what was measured, or None where the runs are missing."""
    lines = [_PREFIX.sub("", line.rstrip()).replace("(all same)", "") for line in text.splitlines()]
    counts = [found for line in lines if (found := _COUNT.fullmatch(line.strip()))]
    if len(counts) < 2:
        return None
    whole = "\n".join(lines)
    init = _INIT.search(whole)
    memory = _MEMORY.search(whole)
    replaced = _REPLACED.search(whole)
    return Output(
        _runs(counts[0]), _runs(counts[1]), float(init[1]) if init else None,
        round(float(memory[1]) * 2**20) if memory else None, _delegated(whole),
        (int(replaced[1]), int(replaced[2])) if replaced else None, _operators(whole),
    )  # fmt: skip


def _runs(found: "re.Match[str]") -> Runs:
    fields = dict(pair.split("=", 1) for pair in found["fields"].split())
    values = {name: float(value) / 1000 for name, value in fields.items()}
    last = values["curr"]  # the only one where all runs took as long
    average = values.get("avg", last)
    return Runs(int(found["count"]), values.get("median", average), average, values.get("first", last))


def _delegated(text: str) -> str | None:
    if found := _APPLIED.search(text):
        return "all" if found["share"] == "completely" else f"{found['kernels'] or 'some'} kernels"
    return "nothing" if _NOT_APPLIED.search(text) else None


def _operators(text: str) -> tuple[OperatorTime, ...]:
    """Return the table of operator types, with what is inside a delegate in place of the delegate itself."""
    _, heading, regular = text.rpartition(_REGULAR)
    section = regular if heading else text
    graph, internal, inside = section.partition(_INTERNAL)
    rows = _summary(graph)
    details = _summary(inside) if internal else []
    if details:
        rows = [row for row in rows if "delegate" not in row.type.lower()] + details
    total = sum(row.ms for row in rows)
    shares = (OperatorTime(row.type, row.count, row.ms, 100 * row.ms / total) for row in rows if row.ms > 0)
    return tuple(sorted(shares, key=lambda row: -row.ms))


def _summary(text: str) -> list[OperatorTime]:
    _, found, table = text.partition(_SUMMARY)
    rows: list[OperatorTime] = []
    for line in table.splitlines()[1:] if found else ():
        cells = [cell.strip() for cell in line.strip().split("\t")]
        if not line.strip() and rows:
            break
        if len(cells) == _COLUMNS and cells[1].isdigit():
            rows.append(OperatorTime(cells[0], int(cells[1]), float(cells[2]), float(cells[3].rstrip("%"))))
    return rows


def reason_of(text: str, status: int) -> str:
    """Return why a run failed: the last line with an error, else the last line, else the exit status."""
    lines = [_PREFIX.sub("", line.strip()) for line in text.splitlines()]
    lines = [line for line in lines if line and line not in _LAST_WORDS]
    errors = [line for line in lines if _ERROR.search(line)]
    signal = f"killed by signal {status - 128}: " if 128 < status < 192 else ""
    return signal + (errors or lines or [f"exit status {status}"])[-1][:200]
