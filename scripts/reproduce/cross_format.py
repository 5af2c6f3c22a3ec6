"""Does training on sets of other formats help? `python scripts/reproduce/cross_format.py DATA`.

EFLD on 300-W alone against EFLD on 300-W, MUCT (76 points), WFLW (98) and weakly labelled YouTube frames (68), with a
head for each format: the same network, seeds, augmentation, number of steps and passes over 300-W, no teacher. A step
of the second arm sees 32 faces of 300-W, on average, and 16 others. DATA holds the folders 300W, muct, WFLW and
youtube_faces. A run that is complete is not trained again, one that was stopped is continued.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from distill.evaluate.evaluate import evaluate
from distill.evaluate.result import Evaluation, bootstrap_interval
from distill.results import write_result

TRAIN, TEST = "helen/trainset+lfpw/trainset", "helen/testset+lfpw/testset"
# Faces a step; both arms make 38 steps an epoch and see as many faces of 300-W in each.
BATCH = {"single": 32, "cross": 48}


def arguments(arm: str, data: Path, seed: int, epochs: int) -> list[str]:
    """Return the options of one training."""
    sets = [
        {"format": "muct", "root": f"{data}/muct", "scheme": "muct76", "share": 0.25},
        {"format": "wflw", "root": f"{data}/WFLW", "scheme": "wflw98"},
        {"format": "udacity", "root": f"{data}/youtube_faces", "subset": "training", "labels": "weak", "share": 0.22},
    ]
    common = [
        "student", "--config", "configs/zoo/efld_nokd.yaml", "--name", f"{arm}_{seed}", "--runs", "runs/cross_format",
        "--seed", str(seed), "--data.root", f"{data}/300W", "--data.subset", TRAIN, "--data.test_subset", TEST,
        "--data.batch_size", str(BATCH[arm]), "--trainer.epochs", str(epochs), "--trainer.validate_every", str(epochs),
        "--trainer.threads", "1", "--log.wandb", "disabled",
    ]  # fmt: skip
    heads = {"others": ["ibug68", "muct76", "wflw98"]}
    several = ["--data.sets", json.dumps(sets), "--model.options", json.dumps(heads)]
    return common if arm == "single" else [*common, *several]


def train(arm: str, data: Path, seed: int, epochs: int) -> Path:
    """Train, continue or leave alone; return the checkpoint."""
    run = Path("runs/cross_format", f"{arm}_{seed}")
    if not (run / "summary.json").is_file():
        resume = ["--resume"] if (run / "last.ckpt").is_file() else []
        command = [sys.executable, "-m", "distill", *arguments(arm, data, seed, epochs), *resume]
        subprocess.run(command, check=True)
    return run / "best.ckpt"


def steps(checkpoint: Path) -> int:
    """Return how many steps a finished run has made."""
    made: int = json.loads((checkpoint.parent / "summary.json").read_text())["steps"]
    return made


def compared(found: dict[str, list[Evaluation]]) -> dict[str, Any]:
    """Return NME by arm and seed, and the paired difference of the means over seeds with its interval over faces."""
    nmes = {arm: [100 * float(e.nme().mean()) for e in evaluations] for arm, evaluations in found.items()}
    faces = {arm: np.mean([e.nme() for e in evaluations], 0) for arm, evaluations in found.items()}
    difference = 100 * (faces["cross"] - faces["single"])
    low, high = bootstrap_interval(difference, 0)
    return {
        "nme_percent": nmes,
        "mean_percent": {arm: float(np.mean(values)) for arm, values in nmes.items()},
        "difference_points": {"mean": float(difference.mean()), "low": low, "high": high},
        "protocol": found["single"][0].protocol.to_dict(),
    }


def main() -> None:
    """Train both arms with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=105)
    options = parser.parse_args()
    runs: dict[str, list[Path]] = {arm: [] for arm in BATCH}
    for seed in range(options.seeds):
        for arm in BATCH:
            runs[arm].append(train(arm, options.data, seed, options.epochs))
    made = {steps(path) for paths in runs.values() for path in paths}
    if len(made) != 1:
        raise SystemExit(f"the runs have made {sorted(made)} steps: adapt BATCH so that both arms make as many")
    content: dict[str, Any] = {"steps": made.pop(), "epochs": options.epochs, "batch": BATCH, "seeds": options.seeds}
    for boxes in ("gt", "det"):
        found = {
            arm: [evaluate(p, format="300w", root=options.data / "300W", subset=TEST, boxes=boxes) for p in paths]
            for arm, paths in runs.items()
        }
        content[boxes] = compared(found)
    write_result("results/cross_format.json", content)


if __name__ == "__main__":
    main()
