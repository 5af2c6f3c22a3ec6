"""`make demo`: the whole pipeline on generated faces, from nothing to a submission that runs, in one report.

Every step is the command a user would type; the report and the summary are made from what the commands left behind.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from distill.cli.main import main as distill

RUN = Path("runs/demo")
FACES, EXPORT = RUN / "faces", RUN / "student" / "export"
DATA = ["--data.format", "manifest", "--data.root", str(FACES), "--data.subset", "test"]
COUNT, SEED, DIFFICULTY = 1500, 1, 0.4
MODELS = {
    "teacher": RUN / "teacher" / "best.ckpt",
    "student, distilled": RUN / "student" / "best.ckpt",
    "student, no teacher": RUN / "student_baseline" / "best.ckpt",
    "student, TFLite fp16": EXPORT / "student_fp16.tflite",
}
_console = Console()


def step(title: str, *command: str) -> float:
    """Run one command and return its seconds; stop the demo where it fails."""
    _console.rule(f"[bold]{title}[/bold]")
    _console.print(f"[dim]distill {' '.join(command)}[/dim]", soft_wrap=True)
    started = time.monotonic()
    status = distill(list(command))
    if status:
        sys.exit(status)
    return time.monotonic() - started


def run_all() -> dict[str, float]:
    """Run the pipeline; return seconds by step."""
    for old in ("teacher", "student", "student_baseline"):
        shutil.rmtree(RUN / old, ignore_errors=True)
    seconds = {
        "render faces": step(
            "Faces",
            "data",
            "synth",
            str(FACES),
            "--count",
            str(COUNT),
            "--seed",
            str(SEED),
            "--difficulty",
            str(DIFFICULTY),
        )
    }
    for name in ("teacher", "student", "student_baseline"):
        command = "teacher" if name == "teacher" else "student"
        recipe = name.removesuffix("_baseline")
        baseline = ["--kd.kind", "none", "--name", name] if name != recipe else []
        seconds[f"train {name}"] = step(f"Train: {name}", command, "--config", f"configs/demo/{recipe}.yaml", *baseline)
    seconds["export"] = step("Export", "export", str(MODELS["student, distilled"]), "--out", str(EXPORT), *DATA)
    fp16 = str(EXPORT / "student_fp16.tflite")
    seconds["op check"] = step("Op check", "check", fp16, "--runtime", "2.11.0")
    seconds["submission"] = step("Submission", "submit", fp16, "--out", str(RUN / "submission.zip"))
    return seconds


def measure() -> dict[str, Any]:
    """Evaluate every model on the unseen test faces."""
    from distill.evaluate.evaluate import evaluate

    return {name: evaluate(path, format="manifest", root=FACES, subset="test") for name, path in MODELS.items()}


def passes(good: bool) -> str:
    """Return the word for a verdict."""
    return "pass" if good else "fail"


def pictures(evaluation: Any) -> bytes:
    """Draw the first test faces with predictions and truth; they are generated and may be shown."""
    from distill.data.readers import read_faces
    from distill.report.gallery import gallery

    return gallery(evaluation, read_faces("manifest", FACES, ("test",), "inner51"), range(18))


def latency() -> Any:
    """Time PyTorch and LiteRT in turns on one thread."""
    from distill.bench.latency import accept
    from distill.models.checkpoint import load_model

    net, spec = load_model(MODELS["student, distilled"])
    return accept(net, EXPORT / "student_fp32.tflite", spec.crop.size)


def write_report(results: dict[str, Any], seconds: dict[str, float], summary: dict[str, Any], timing: Any) -> Path:
    """Write runs/demo/report.html."""
    from distill.report.curves import training_plot
    from distill.report.page import Report, Verdict

    exported = json.loads((EXPORT / "export.json").read_text())
    submission = json.loads((RUN / "submission.json").read_text())
    report = Report(
        "distill: demo", "Generated faces, a small teacher, a student, a TFLite file and a submission that runs."
    )
    report.cards(
        {
            "teacher NME %": 100 * summary["teacher_nme"],
            "student NME %": 100 * summary["student_nme"],
            "baseline (no distillation) NME %": 100 * summary["student_baseline_nme"],
            "TFLite max px": summary["tflite_max_px"],
            "op check 2.11.0": Verdict(summary["opcheck"], summary["opcheck"] == "pass"),
            "submission": Verdict(summary["submission"], summary["submission"] == "pass"),
        }
    )
    report.heading("Accuracy on unseen generated faces")
    report.evaluations(results, pictures=pictures(results["student, TFLite fp16"]))
    report.heading("Training")
    runs = {name: RUN / name / "metrics.csv" for name in ("teacher", "student", "student_baseline")}
    report.figure(training_plot(runs, ["train/loss", "train/star", "val/nme"]), "Losses and validation NME")
    report.heading("Parity with PyTorch")
    rows = [
        [
            h["name"],
            h["max_px"],
            h["mean_px"],
            h["gate"]["max_px"],
            Verdict(passes(h["max_px"] <= h["gate"]["max_px"]), h["max_px"] <= h["gate"]["max_px"]),
        ]
        for h in exported["parity"]["results"]
    ]
    report.table(("stage", "max px", "mean px", "gate px", "verdict"), rows)
    report.heading("Operators")
    ops = exported["ops"]["fp16"]["rows"]
    report.table(
        ("operator", "version", "count", "first runtime"),
        [[o["op"], o["version"], o["count"], o["since"]] for o in ops],
    )
    report.heading("Latency and time").text(str(timing))
    report.table(("step", "seconds"), [[name, round(value, 1)] for name, value in seconds.items()])
    report.heading("Submission").table(("what", "value"), [[k, str(v)] for k, v in submission.items()])
    return report.write(RUN / "report.html")


def main() -> None:
    """Run, measure, write report.html and summary.json."""
    from distill.files import write_json
    from distill.submission.dry_run import TOLERANCE_PX

    started = time.monotonic()
    seconds = run_all()
    _console.rule("[bold]Measure[/bold]")
    results = measure()
    exported = json.loads((EXPORT / "export.json").read_text())
    parity = exported["parity"]["results"]
    summary = {
        **{
            f"{key}_nme": results[name].summary()["nme"]
            for key, name in zip(("teacher", "student", "student_baseline"), MODELS, strict=False)
        },
        "onnx_max_px": max(stage["max_px"] for stage in parity if stage["name"].startswith("onnx")),
        "tflite_max_px": max(stage["max_px"] for stage in parity if stage["name"].startswith("fp")),
        "opcheck": passes(all(row["verdict"] == "ok" for row in exported["ops"]["fp16"]["rows"])),
        "submission": passes(json.loads((RUN / "submission.json").read_text())["dry_run"]["max_px"] <= TOLERANCE_PX),
    }
    path = write_report(results, seconds, summary, latency())
    summary["seconds"] = round(time.monotonic() - started, 1)
    write_json(RUN / "summary.json", summary)
    _console.print_json(data=summary)
    _console.print(f"[bold]open {path}[/bold]")


if __name__ == "__main__":
    main()
