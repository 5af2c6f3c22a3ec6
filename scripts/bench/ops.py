"""Where an exported graph spends its time, operator by operator: `python scripts/bench/ops.py MODEL.tflite`.

Times are those of LiteRT's own profiler on one thread. Profiling itself costs a little, so compare shares, and compare
whole models with `scripts/bench/graph.py`.
"""

import argparse
from collections import defaultdict
from pathlib import Path

from litert_profile import OpTime, profile
from rich.console import Console
from rich.table import Table

from distill.bench.tflite_graph import TFLiteGraph, node_macs
from distill.results import write_result


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
        {"kind": kind, "xnnpack": delegated, "count": counts[kind, delegated], "ms": time, "share": time / total}
        for (kind, delegated), time in sorted(milliseconds.items(), key=lambda entry: -entry[1])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="TFLite file with one float32 input and one output")
    parser.add_argument("--runs", type=int, default=100, help="profiled runs")
    parser.add_argument("--each", action="store_true", help="also list every operator in the order it runs")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    graph = TFLiteGraph.read(args.model)
    macs = sum(node_macs(graph, node) for node in graph.nodes)
    operators = profile(args.model, args.runs)
    rows = by_kind(operators)
    total = sum(operator.milliseconds for operator in operators)
    console = Console()
    title = f"{args.model.name}: {len(graph.nodes)} operators, {macs / 1e6:.0f} M MACs, {total:.2f} ms in operators"
    table = Table(title=title)
    for heading in ("operator", "backend", "count", "ms", "%"):
        table.add_column(heading, justify="left" if heading in ("operator", "backend") else "right")
    for row in rows:
        cells = (row["kind"], "XNNPACK" if row["xnnpack"] else "TFLite", row["count"])
        table.add_row(*map(str, cells), f"{row['ms']:.3f}", f"{100 * float(str(row['share'])):.1f}")
    console.print(table)
    if args.each:
        for position, operator in enumerate(operators):
            console.print(f"{position:4d} {operator.milliseconds:8.3f} ms  {operator.kind}", highlight=False)
    if args.json:
        write_result(args.json, {"model": args.model.name, "operators": len(graph.nodes), "macs": macs, "kinds": rows})


if __name__ == "__main__":
    main()
