"""Measure the whole pipeline on 300-W: `python -m scripts.studies.pipeline_300w DATA`.

Writes results/studies/pipeline_300w.json and its table in the documentation.

Expects what these commands leave behind (DATA is a 300-W folder):

    make teacher DATA=...
    make student DATA=...
    make student DATA=... KD=none NAME=student_baseline
    make export
    make submission
"""

import argparse
import json
from pathlib import Path
from textwrap import fill
from typing import Any

from distill.evaluate.evaluate import evaluate
from distill.evaluate.result import Evaluation, paired_bootstrap
from distill.provenance import write_result
from scripts.studies.common.arms import mean_with_interval
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST

OUT = "results/studies/pipeline_300w.json"
# Name in the results -> name of the run.
RUNS = {"teacher": "teacher", "student": "student", "baseline": "student_baseline"}
EXPORT = Path("runs/student/export")
MODELS = {
    **{name: Path("runs", run, "best.ckpt") for name, run in RUNS.items()},
    "student ONNX": EXPORT / "student.onnx",
    "student TFLite fp32": EXPORT / "student_fp32.tflite",
    "student TFLite fp16": EXPORT / "student_fp16.tflite",
}


def totals(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation without its list of faces."""
    return {name: value for name, value in evaluation.to_json().items() if name != "faces"}


def difference(a: Evaluation, b: Evaluation) -> dict[str, Any]:
    """Return the paired difference a - b in points of % NME, with its 95 % interval."""
    gain = paired_bootstrap(a, b)
    return {name: 100 * getattr(gain, name) for name in ("mean", "low", "high")}


def table(evaluations: dict[str, dict[str, Any]]) -> str:
    """Return stored evaluations, by box source and model, as a Markdown table."""
    lines = [
        "| model | boxes | NME % (95 %) | FR@8 % | FR@10 % | AUC@10 % | runs in |",
        "|---|---|---|---|---|---|---|",
    ]
    for boxes, models in evaluations.items():
        for name, evaluation in models.items():
            metrics, runtime = evaluation["metrics"]["ocular"], evaluation["protocol"]["runtime"]
            lines.append(
                f"| {name} | {boxes} | {mean_with_interval(metrics['nme_percent'], *metrics['nme_95_percent'])} "
                f"| {metrics['fr8_percent']:.2f} | {metrics['fr10_percent']:.2f} | {metrics['auc10_percent']:.1f} "
                f"| {runtime} |"
            )
    return "\n".join(lines)


def block(result: dict[str, Any]) -> str:
    """Return the block of the documentation for a stored result."""
    protocol, gain = result["evaluations"]["gt"]["student"]["protocol"], result["kd_gain_points"]["gt"]
    note = (
        f"The {protocol['n_faces']} faces of the complete 300-W common test set, {protocol['points']} points, "
        "inter-ocular NME, no test image in training, 128 px, seed 0, from scratch on two CPU cores. Distillation "
        f"changes the student's NME by {gain['mean']:+.2f} points (95 % interval over faces: {gain['low']:+.2f} to "
        f"{gain['high']:+.2f}) against the baseline of as many steps; one seed does not show the variation between "
        f"seeds. All values are in `{OUT}`, written by `scripts/studies/pipeline_300w.py`."
    )
    return f"{fill(note, 100)}\n\n{table(result['evaluations'])}"


def measure(data: Path) -> dict[str, dict[str, Evaluation]]:
    """Evaluate every model by box source."""
    return {
        boxes: {
            name: evaluate(path, format="300w", root=data, subset=TEST, boxes=boxes) for name, path in MODELS.items()
        }
        for boxes in ("gt", "dataset")
    }


def main() -> None:
    """Evaluate every model with true and dataset boxes and write the results."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    results = measure(parser.parse_args().data)
    result = {
        "training": {name: json.loads(Path("runs", run, "summary.json").read_text()) for name, run in RUNS.items()},
        "evaluations": {b: {n: totals(e) for n, e in models.items()} for b, models in results.items()},
        "kd_gain_points": {b: difference(models["student"], models["baseline"]) for b, models in results.items()},
        "parity": json.loads((EXPORT / "export.json").read_text())["parity"],
        "submission": json.loads((EXPORT.parent / "submission.json").read_text()),
    }
    write_result(OUT, result)
    update_block(OUT, block(result))
    print(block(result))


if __name__ == "__main__":
    main()
