"""Measure the whole pipeline on 300-W: `python -m scripts.studies.pipeline_300w DATA`.

Writes results/studies/pipeline_300w.json and the results table of the README.

Expects what these commands leave behind (DATA is a 300-W folder):

    make teacher DATA=...
    make student DATA=...
    make student DATA=... CONFIG=configs/student_nokd.yaml NAME=student_nokd
    make export
    make submission
"""

import argparse
import json
from pathlib import Path
from typing import Any

from distill.evaluate.evaluate import evaluate
from distill.evaluate.result import Evaluation, paired_bootstrap
from distill.provenance import write_result
from scripts.studies.common.marked_blocks import replace_between
from scripts.studies.common.split_300w import TEST

RUNS = ("teacher", "student", "student_nokd")
EXPORT = Path("runs/student/export")
MODELS = {
    **{name: Path("runs", name, "best.ckpt") for name in RUNS},
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


def table(results: dict[str, dict[str, Evaluation]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| model | boxes | NME % (95 %) | FR@8 % | FR@10 % | AUC@10 % | runs in |",
        "|---|---|---|---|---|---|---|",
    ]
    for boxes, evaluations in results.items():
        for name, result in evaluations.items():
            s, (low, high) = result.summary(), result.interval()
            lines.append(
                f"| {name} | {boxes} | {100 * s['nme']:.2f} ({100 * low:.2f}–{100 * high:.2f}) | {100 * s['fr8']:.2f} "
                f"| {100 * s['fr10']:.2f} | {100 * s['auc10']:.1f} | {result.protocol.runtime} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Evaluate every model with true and detector boxes and write what came out."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    results = {
        boxes: {
            name: evaluate(path, format="300w", root=data, subset=TEST, boxes=boxes) for name, path in MODELS.items()
        }
        for boxes in ("gt", "det")
    }
    exported = json.loads((EXPORT / "export.json").read_text())
    submission = json.loads((EXPORT.parent / "submission.json").read_text())
    write_result(
        "results/studies/pipeline_300w.json",
        {
            "commands": [line.strip() for line in str(__doc__).splitlines() if line.startswith("    make")],
            "training": {name: json.loads(Path("runs", name, "summary.json").read_text()) for name in RUNS},
            "evaluations": {b: {n: totals(e) for n, e in by_name.items()} for b, by_name in results.items()},
            "kd_gain_points": {b: difference(r["student"], r["student_nokd"]) for b, r in results.items()},
            "parity": exported["parity"],
            "submission": submission,
        },
    )
    print(table(results))
    gain = difference(results["gt"]["student"], results["gt"]["student_nokd"])
    first = results["gt"]["student"].protocol
    mean, low, high = gain["mean"], gain["low"], gain["high"]
    note = (
        f"The {first.n_faces} faces of the complete 300-W common test set, {first.points} points, inter-ocular NME, no "
        "test image in training, 128 px, seed 0, from scratch on two CPU cores. Distillation changes the "
        f"student's NME by {mean:+.2f} points (95 % interval over faces: {low:+.2f} to {high:+.2f}) against its "
        "equal-steps twin; one seed says nothing about others. Everything else is in `results/studies/pipeline_300w.json`; "
        "`scripts/studies/pipeline_300w.py` makes both."
    )
    replace_between(Path("README.md"), "results", f"{note}\n\n{table(results)}")


if __name__ == "__main__":
    main()
