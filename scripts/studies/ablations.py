"""The ablations of two papers again: `python -m scripts.studies.ablations DATA efld`, or lite_hrnet_plus.

Trains every configuration that a model card names beside a published number, without a teacher, on the same faces of
300-W for as many steps; EFLD's with the further sets of cross_format.py, whose runs serve here as well. DATA holds the
folders 300W, muct, WFLW and youtube_faces. A run that is complete is not trained again, one that was stopped is
continued. Writes results/studies/ablation_NAME.json, its table in the documentation and the page of the paper.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from distill.models.cards import load_cards
from distill.provenance import write_result
from scripts.studies import cross_format
from scripts.studies.common.arms import measured, options_of_run, steps_of, train_arms, with_interval
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.papers.page import update

# Network in the zoo, and the recipe that the others change and are compared with.
PAPERS = {"efld": ("efld", "efld_cross"), "lite_hrnet_plus": ("lite_hrnet_plus_30m", "lite_hrnet_plus_scaf")}


def published(paper: str) -> dict[str, dict[str, Any]]:
    """Return the published rows of a paper's ablation by the configuration that repeats them."""
    rows = load_cards()[PAPERS[paper][0]].published
    return {str(row["config"]): dict(row) for row in rows if "config" in row}


def result_path(paper: str) -> str:
    """Return the file that holds the results of a paper's ablation."""
    return f"results/studies/ablation_{paper}.json"


def block(paper: str, result: dict[str, Any]) -> str:
    """Return the block of the documentation for a stored result."""
    return table(result, result["published"], PAPERS[paper][1])


def arguments(config: str, data: Path, epochs: int) -> list[str]:
    """Return the options of one configuration."""
    paper = next(name for name in PAPERS if config.startswith(name))
    if paper == "efld":
        common = cross_format.arguments("single" if config == "efld" else "cross", data, epochs)
    else:
        recipe = f"configs/zoo/{PAPERS[paper][1]}.yaml"
        common = options_of_run(recipe, data / "300W", epochs)
    options = published(paper)[config].get("options")
    return [*common, "--model.options", json.dumps(options)] if options else common


def table(study: dict[str, Any], rows: dict[str, dict[str, Any]], reference: str) -> str:
    """Return ours beside the published as a Markdown table, with differences where there are several seeds."""
    several = len(study["gt"]["arms"][reference]["nme_percent"]) > 1
    heads = ["configuration", "what it is", "NME %, published", "ours by seed" if several else "ours, one seed"]
    heads += ["against the first, points (95 %)"] * several
    lines = [f"| {' | '.join(heads)} |", f"|---|---|---:|---:|{'---|' * several}"]
    for config in sorted(rows, key=lambda name: name != reference):
        found = study["gt"]["arms"][config]
        against = study["gt"][f"difference_to_{reference}"].get(config)
        ours = ", ".join(f"{value:.2f}" for value in found["nme_percent"])
        cells = [f"`{config}`", str(rows[config]["variant"]), f"{rows[config]['nme_percent']:.2f}", ours]
        cells += [with_interval(against) if against else "–"] * several
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Train every configuration with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("paper", choices=PAPERS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=105)
    options = parser.parse_args()
    out = result_path(options.paper)
    reference, rows = PAPERS[options.paper][1], published(options.paper)
    # Names that the runs of cross_format.py have.
    own = {"efld": "single", "efld_cross": "cross"}
    arms = {own.get(config, config): arguments(config, options.data, options.epochs) for config in rows}
    folder = cross_format.RUNS if options.paper == "efld" else Path("runs/ablations")
    made = train_arms(arms, options.seeds, folder)
    runs = {config: made[own.get(config, config)] for config in rows}
    study: dict[str, Any] = {"epochs": options.epochs, "steps": [steps_of(path) for path in runs[reference]]}
    study |= measured(runs, options.data / "300W", reference)
    write_result(out, {**study, "published": rows})
    update_block(out, table(study, rows, reference))
    update(options.paper)
    print(table(study, rows, reference))


if __name__ == "__main__":
    main()
