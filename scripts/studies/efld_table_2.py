"""Table 2 of EFLD with 300 epochs and three seeds: `python -m scripts.studies.efld_table_2 DATA`, or `--scheme ibug68`.

Trains EFLD, the same with ordinary convolutions and with PFLD's head, and EFLD on 300-W alone, seed by seed, on the
faces of cross_format.py and for as many steps, without a teacher, on the 51 inner points of 300-W or on its 68. The
result holds the errors of each finished training, which is not made again; one that was stopped is continued. DATA
holds the folders 300W, muct, WFLW and youtube_faces. Writes results/studies/efld_table_2.json, or efld_table_2_68.json,
after every training.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from scripts.studies import cross_format
from scripts.studies.common.arms import compared
from scripts.studies.common.kept_runs import Run, complete_seeds, evaluation_of, train_and_score, train_missing

OUT = {"inner51": "results/studies/efld_table_2.json", "ibug68": "results/studies/efld_table_2_68.json"}
REFERENCE = "cross"
# Options of the network of each arm beside those of cross_format.py.
ARMS: dict[str, dict[str, Any]] = {"cross": {}, "conv": {"light": False}, "pfld": {"head": "pfld"}, "single": {}}
SOURCES = ("gt", "dataset")


def arguments(arm: str, seed: int, data: Path, epochs: int, scheme: str) -> list[str]:
    """Return the options of a training."""
    faces = cross_format.arguments("single" if arm == "single" else "cross", data, epochs, scheme)
    network = ["--model.options", json.dumps(ARMS[arm])] if ARMS[arm] else []
    return [*faces, *network, "--seed", str(seed)]


def plan(data: Path, epochs: int, seeds: int, scheme: str) -> dict[str, list[str]]:
    """Return the options of all trainings by their names, seed by seed."""
    return {f"{arm}_{seed}": arguments(arm, seed, data, epochs, scheme) for seed in range(seeds) for arm in ARMS}


def result_of(runs: dict[str, Run], epochs: int, seeds: int) -> dict[str, Any]:
    """Return the result: the comparison of the seeds that every arm is trained with, and all trainings."""
    complete = complete_seeds(runs, list(ARMS), seeds)
    found: dict[str, Any] = {}
    for source in SOURCES if complete else ():
        rows = {arm: [evaluation_of(runs[f"{arm}_{seed}"], source) for seed in complete] for arm in ARMS}
        found[source] = compared(rows, REFERENCE)
    return {"epochs": epochs, "seeds": complete, **found, "runs": runs}


def main() -> None:
    """Train what the result does not hold, and write after each training."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scheme", choices=OUT, default="inner51", help="points of 300-W [inner51]")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--runs", type=Path, help="folder of the trainings [runs/efld_table_2 and the scheme]")
    options = parser.parse_args()
    out = Path(OUT[options.scheme])
    folder = options.runs or Path(f"runs/efld_table_2_{options.scheme}")
    planned, own = (plan(data, options.epochs, options.seeds, options.scheme) for data in (Path("data"), options.data))
    train_missing(
        out,
        planned,
        lambda name: train_and_score(name, folder, own[name], options.data / "300W", SOURCES),
        lambda runs: result_of(runs, options.epochs, options.seeds),
    )


if __name__ == "__main__":
    main()
