"""Where an exported graph spends its time, operator by operator: `python -m scripts.bench.ops MODEL.tflite`.

Times are those of LiteRT's own profiler on one thread. Profiling itself costs a little, so compare shares, and compare
whole models with `scripts/bench/graph.py`. With --beside INTEGERS.tflite, an integer file of the same network, it says
how far integers can take this network here: no choice of what to keep in floats beats the faster of both everywhere.
"""

import argparse
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from distill.provenance import write_result
from distill.tflite.complexity import operator_macs
from distill.tflite.serialization import read_model
from scripts.bench.litert_profile import OpTime, profile


def by_kind(operators: tuple[OpTime, ...]) -> list[dict[str, object]]:
    """Return a row per kind of operator, the slowest first."""
    milliseconds: dict[tuple[str, bool], float] = defaultdict(float)
    counts: dict[tuple[str, bool], int] = defaultdict(int)
    for operator in operators:
        key = (operator.kind, operator.delegated)
        milliseconds[key] += operator.milliseconds
        counts[key] += operator.count
    total = sum(milliseconds.values())
    return [
        {"type": kind, "xnnpack": delegated, "count": counts[kind, delegated], "ms": time, "share": time / total}
        for (kind, delegated), time in sorted(milliseconds.items(), key=lambda entry: -entry[1])
    ]


# What XNNPACK calls operators that do the same work in floats and in integers.
_WORK = {"Fully Connected": "dense", "DWConv": "depthwise", "IGEMM": "convolution"}


def by_work(operators: tuple[OpTime, ...]) -> dict[str, float]:
    """Return milliseconds by kind of work: layers with weights, and everything else with the changes of type."""
    milliseconds = dict.fromkeys([*_WORK.values(), "other"], 0.0)
    for operator in operators:
        milliseconds[next((work for name, work in _WORK.items() if name in operator.kind), "other")] += (
            operator.milliseconds
        )
    return milliseconds


def bound(floats: dict[str, float], integers: dict[str, float]) -> float:
    """Return the time in integers over that in floats if each kind of work took the faster of both, changes free."""
    return sum(min(floats[work], integers[work]) for work in floats) / sum(floats.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="TFLite file with one float32 input and one output")
    parser.add_argument("--runs", type=int, default=100, help="profiled runs")
    parser.add_argument("--each", action="store_true", help="also list every operator in the order it runs")
    parser.add_argument("--beside", type=Path, help="the same network in integers")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    nodes = read_model(args.model).main.operators
    macs = sum(operator_macs(node) for node in nodes)
    operators = profile(args.model, args.runs)
    rows = by_kind(operators)
    total = sum(operator.milliseconds for operator in operators)
    console = Console()
    title = f"{args.model.name}: {len(nodes)} operators, {macs / 1e6:.0f} M MACs, {total:.2f} ms in operators"
    table = Table(title=title)
    for heading in ("operator", "backend", "count", "ms", "%"):
        table.add_column(heading, justify="left" if heading in ("operator", "backend") else "right")
    for row in rows:
        cells = (row["type"], "XNNPACK" if row["xnnpack"] else "TFLite", row["count"])
        table.add_row(*map(str, cells), f"{row['ms']:.3f}", f"{100 * float(str(row['share'])):.1f}")
    console.print(table)
    if args.each:
        for position, operator in enumerate(operators):
            console.print(f"{position:4d} {operator.milliseconds:8.3f} ms  {operator.kind}", highlight=False)
    found = {"model": args.model.name, "operators": len(nodes), "macs": macs, "operator_types": rows}
    if args.beside:
        floats, integers = by_work(operators), by_work(profile(args.beside, args.runs))
        found["beside"] = {"model": args.beside.name, "floats_ms": floats, "integers_ms": integers}
        found["beside"]["bound"] = least = bound(floats, integers)
        work = Table(title=f"{args.model.name} beside {args.beside.name}")
        for heading in ("work", "floats, ms", "integers, ms", "ratio"):
            work.add_column(heading, justify="left" if heading == "work" else "right")
        for name, time in (floats | {"all": sum(floats.values())}).items():
            other = integers.get(name, sum(integers.values()))
            work.add_row(name, f"{time:.3f}", f"{other:.3f}", f"{other / time:.2f}")
        console.print(work, f"the faster of both in every kind of work: {least:.2f} of the time in floats")
    if args.json:
        write_result(args.json, found)


if __name__ == "__main__":
    main()
