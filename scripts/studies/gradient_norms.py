"""Gradient norms of supervised and distillation losses: `python -m scripts.studies.gradient_norms DATA`.

One epoch of configs/student.yaml from random weights on 300-W (DATA holds the folder 300W), with the released teacher
and several distillation losses at once; every loss term's own gradient norm is recorded by `--log.gradients`. Writes
those of the first step and their medians over the last ten to results/studies/gradient_norms.json, and their table in
the documentation.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import distill
from distill.provenance import write_result
from distill.training.loggers.metrics_csv import TERM_GRADIENT, read_curve
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST, TRAIN

OUT = "results/studies/gradient_norms.json"
RECIPE, TEACHER = "configs/student.yaml", "checkpoints/teacher_128.safetensors"
KD = {"mse": 100.0, "coordinate": 2.0, "covariance": 1.0, "kl": 1.0}
SUPERVISED = {"edge": 10.0, "star": 1.0, "point": 10.0}
TITLES = {"edge": "adaptive wing, edge maps", "star": "STAR", "point": "adaptive wing, point maps"}


def trained(data: Path, runs: Path) -> Path:
    """Train one epoch; return the folder of the run."""
    kind, *others = KD
    result = distill.train(
        RECIPE, runs=str(runs), name="gradients", teacher=TEACHER, loss={"star": SUPERVISED["star"]},
        kd={"kind": kind, "weight": KD[kind], "extra": {name: KD[name] for name in others}, "flip": False,
            "cache": {"form": "none"}},
        data={"root": str(data / "300W"), "subset": TRAIN, "test_subset": TEST, "workers": 0},
        trainer={"epochs": 1, "validate_every": 1, "threads": 1}, log={"gradients": 1, "wandb": "disabled"},
    )  # fmt: skip
    return result.folder


def norms(folder: Path, term: str) -> list[float]:
    """Return the gradient norm of a term of the loss, step by step."""
    return [float(value) for value in read_curve(folder / "metrics.csv", f"{TERM_GRADIENT}{term}")[1]]


def table(study: Mapping[str, Any]) -> str:
    """Return the norms of the first step and of the last ten as a Markdown table."""
    lines = ["| loss term | weight | first step | after one epoch |", "|---|---:|---:|---:|"]
    for name, row in study["terms"].items():
        numbers = " | ".join(f"{row[when]:.2g}" for when in ("first", "last"))
        lines.append(f"| {TITLES.get(name, f'`{name}`')} | {row['weight']:g} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    """Train, write the norms and their table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs:
        folder = trained(options.data, Path(runs))
        data_hash = json.loads((folder / "summary.json").read_text())["train_hash"]
        values = {term: norms(folder, term if term in SUPERVISED else f"kd_{term}") for term in {**SUPERVISED, **KD}}
    terms = {
        term: {"weight": weight, "first": values[term][0], "last": statistics.median(values[term][-10:])}
        for term, weight in {**SUPERVISED, **KD}.items()
    }
    study = {"recipe": RECIPE, "teacher": TEACHER, "steps": len(values["star"]), "terms": terms}
    write_result(OUT, study, data_hash)
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
