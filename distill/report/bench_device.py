"""Tables and lines of a bench run on a phone or board."""

from typing import TYPE_CHECKING

from distill.bench.device.measure import COMPARED, MOST
from distill.bench.result import BenchResult

if TYPE_CHECKING:
    from rich.table import Table

# Types of operators that are shown of each row; the JSON file has all.
_SHOWN = 5


def operator_table(bench: BenchResult) -> "Table":
    """Return the slowest types of operators of every row that was profiled; empty for a run on this machine."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title="Time per operator type, one inference with profiling", title_justify="left", box=None, pad_edge=False,
        header_style="bold",
    )  # fmt: skip
    for name in ("model", "runs on", "operator"):
        table.add_column(name, overflow="fold")
    for name in ("count", "ms", "%"):
        table.add_column(name, justify="right", no_wrap=True)
    for key, rows in bench.device.operators.items() if bench.device else ():
        for row in rows[:_SHOWN]:
            where = (escape(key.name), escape(str(key.engine)), escape(row.type))
            table.add_row(*where, str(row.count), f"{row.ms:.3f}", f"{row.percent:.1f}")
    return table


def device_lines(bench: BenchResult) -> list[str]:
    """Return what the numbers of a device are."""
    run, s = bench.device, bench.settings
    assert run is not None
    sources = sorted({energy.source for energy in run.energy.values()})
    energy = f"reported by the device ({', '.join(sources)})" if sources else "this device reports no energy"
    return [
        f"device {run.name}; RSS: the footprint that benchmark_model reports",
        f"spread: of the last {COMPARED} processes, of {COMPARED} to {MOST}; over 5 % is unstable",
        f"{s.rounds} runs a process after {s.warmup}; inside a time: {bench.inside}",
        f"*  {energy}; the score assumes {s.watts:g} W a thread where none is reported",
    ]
