"""Training on data sets of several formats: `python -m scripts.studies.cross_format DATA`.

EFLD on 300-W alone against EFLD on 300-W, MUCT (76 points), WFLW (98) and weakly labelled YouTube frames (68), with a
head for each format: the same network, seeds, augmentation, number of steps and passes over 300-W, no teacher. A step
of the second arm sees 32 faces of 300-W, on average, and 16 others. DATA holds the folders 300W, muct, WFLW and
youtube_faces. A run that is complete is not trained again, one that was stopped is continued.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from distill.provenance import write_result
from scripts.studies.common.arms import measured, options_of_run, steps_of, train_arms

RUNS = Path("runs/cross_format")
# Faces a step; both arms make 38 steps an epoch and see as many faces of 300-W in each.
BATCH = {"single": 32, "cross": 48}


def further_sets(data: Path) -> list[dict[str, Any]]:
    """Return the sets beside 300-W, half as many faces as it in an epoch."""
    return [
        {"format": "muct", "root": f"{data}/muct", "scheme": "muct76", "share": 0.25},
        {"format": "wflw", "root": f"{data}/WFLW", "scheme": "wflw98"},
        {"format": "udacity", "root": f"{data}/youtube_faces", "subset": "training", "labels": "weak", "share": 0.22},
    ]


def arguments(arm: str, data: Path, epochs: int, scheme: str = "inner51") -> list[str]:
    """Return the options of an arm, whose points of 300-W are those of the scheme."""
    common = [*options_of_run("configs/zoo/efld.yaml", data / "300W", epochs), "--kd.kind", "none"]
    common += ["--data.batch_size", str(BATCH[arm]), "--data.scheme", scheme]
    heads = {"others": [other for other in ("ibug68", "muct76", "wflw98") if other != scheme]}
    several = ["--data.sets", json.dumps(further_sets(data)), "--model.options", json.dumps(heads)]
    return common if arm == "single" else [*common, *several]


def main() -> None:
    """Train both arms with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=105)
    options = parser.parse_args()
    runs = train_arms({arm: arguments(arm, options.data, options.epochs) for arm in BATCH}, options.seeds, RUNS)
    content: dict[str, Any] = {
        "steps": [steps_of(path) for path in runs["single"]],
        "epochs": options.epochs,
        "batch": BATCH,
    }
    content |= measured(runs, options.data / "300W", "single")
    write_result("results/studies/cross_format.json", content)


if __name__ == "__main__":
    main()
