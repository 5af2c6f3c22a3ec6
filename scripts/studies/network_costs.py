"""Weights and multiply-accumulates of networks, counted again: `python -m scripts.studies.network_costs efld`.

Builds every variant of a network that its model card (distill/models/cards) states a cost of, with random weights,
counts it and prints both beside each other. A count that differs from the card is marked, and the exit status is 1.
"""

import argparse

from distill.bench.complexity import Complexity, complexity
from distill.models.cards import Counts, load_cards
from distill.models.zoo import create_model


def counted(row: Counts) -> Complexity:
    """Return the cost of a variant that a card states, from the network itself."""
    return complexity(create_model(row.arch, row.scheme, **row.options), row.size)


def line(row: Counts, found: Complexity) -> str:
    """Return a row of a Markdown table: a variant, its cost, and whether it is that of the card."""
    agrees = (found.parameters, found.macs) == (row.parameters, row.macs)
    mark = "" if agrees else f" (card: {row.parameters:,}, {row.macs:,})"
    options = ", ".join(f"{name}: {value}" for name, value in row.options.items()) or "–"
    cells = [row.arch, row.scheme, f"{row.size} px", options, f"{found.parameters:,}", f"{found.macs:,}{mark}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Count and print; exit with status 1 where a card states something else."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("nets", nargs="+", choices=sorted(load_cards()), metavar="NET", help="names in the zoo")
    options = parser.parse_args()
    print("| network | scheme | input | options | weights | multiply-accumulates |\n|---|---|---|---|---:|---:|")
    wrong = False
    for row in [row for net in options.nets for row in load_cards()[net].counts if row.arch == net]:
        found = counted(row)
        wrong |= (found.parameters, found.macs) != (row.parameters, row.macs)
        print(line(row, found), flush=True)
    raise SystemExit(int(wrong))


if __name__ == "__main__":
    main()
