"""`make demo`: few labelled and many unlabelled generated faces, teachers, students with and without them, one report.

Every step is the command a user would type; the report and the summary are made from what the commands left behind.
`python -m scripts.demo --record` also writes results/studies/demo.json and its text in the README.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from textwrap import fill
from typing import Any

from rich.console import Console

from distill import __version__
from distill.cli.main import main as distill
from distill.files import write_json, write_text
from distill.provenance import write_result
from distill.system.processes import ending_with_parent
from scripts.studies.common.marked_blocks import update_block

RUN = Path("runs/demo")
OUT = "results/studies/demo.json"
FACES, EXPORT = RUN / "faces", RUN / "student_0" / "export"
FP16 = EXPORT / "student_fp16.tflite"
FP16_RESULT, ZIP = RUN / "student_0_fp16.json", RUN / "submission.zip"
TEST = ["--data.format", "manifest", "--data.root", str(FACES), "--data.subset", "test"]
SUBSETS = {"train": 60, "unlabelled": 1500, "val": 30, "test": 300}
SEEDS = (0, 1)
ROLES = ("student", "baseline", "teacher")
# An epoch of the students has three unlabelled faces for each labelled one; as many images are four times the epochs.
BASELINE = ["--kd.kind", "none", "--data.sets", "[]", "--trainer.epochs", "224", "--trainer.validate_every", "56"]
Command = list[str]
_console = Console()


def render() -> Command:
    """Return the command that writes the faces."""
    shares = json.dumps(SUBSETS)
    options = {"--count": sum(SUBSETS.values()), "--seed": 1, "--size": 128, "--difficulty": 0.4, "--subsets": shares}
    return ["data", "synth", str(FACES), *(str(word) for option in options.items() for word in option)]


def training(role: str, seed: int) -> Command:
    """Return the command that trains a teacher, student or baseline."""
    command = "teacher" if role == "teacher" else "student"
    extra = BASELINE if role == "baseline" else []
    name = ["--name", f"{role}_{seed}", "--seed", str(seed)]
    return [command, "--config", f"configs/demo/{command}.yaml", *extra, *name]


def evaluation(model: Path, result: Path) -> Command:
    """Return the command that measures a model on the test faces."""
    return ["evaluate", str(model), *TEST, "--json", str(result)]


def show(command: Command) -> None:
    """Print a command as a user types it."""
    _console.print(f"[dim]distill {' '.join(command)}[/dim]", soft_wrap=True)


def step(title: str, *commands: Command) -> float:
    """Run commands one after the other; return their seconds, and stop the demo where one fails."""
    _console.rule(f"[bold]{title}[/bold]")
    started = time.monotonic()
    for command in commands:
        show(command)
        if status := distill(command):
            sys.exit(status)
    return time.monotonic() - started


def side_by_side(title: str, *commands: Command) -> float:
    """Run commands at the same time, each in its own process; the first shows its progress, the others keep a log."""
    _console.rule(f"[bold]{title}, side by side[/bold]")
    started = time.monotonic()
    children = []
    logs = [None, *(RUN / f"log_{index}.txt" for index in range(1, len(commands)))]
    for command, log in zip(commands, logs, strict=True):
        show(command)
        output = None if log is None else log.open("wb")
        argv = ending_with_parent([sys.executable, "-m", "distill", *command], signal.SIGTERM)
        children.append(subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT if output else None))
    try:
        statuses = [child.wait() for child in children]
    finally:
        for child in children:
            child.terminate()  # without effect on those that have ended
    for status, log in zip(statuses, logs, strict=True):
        if status:
            _console.print(log.read_text(errors="replace")[-2000:] if log else "", markup=False)
            sys.exit(status)
    return time.monotonic() - started


def settings() -> dict[str, Any]:
    """Return what decides the files of the demo; a folder with other settings is not continued."""
    trainings = [training(role, seed) for role in ROLES for seed in SEEDS]
    return {"version": __version__, "render": render(), "trainings": trainings}


def claim(folder: Path) -> Path | None:
    """Take the folder for this demo; return where the files of another version or other settings are kept now.

    Faces that an interrupted demo of the same settings has rendered stay.
    """
    mark, kept = folder / "settings.json", None
    same = mark.is_file() and mark.read_bytes() == json.dumps(settings()).encode()
    if folder.exists() and any(folder.iterdir()) and not same:
        kept = next(path for n in count(1) if not (path := folder.with_name(f"{folder.name}_{n}")).exists())
        folder.rename(kept)
    write_text(mark, json.dumps(settings()))
    return kept


def run_all() -> dict[str, float]:
    """Run the pipeline; return seconds by step."""
    names = [f"{role}_{seed}" for role in ROLES for seed in SEEDS]
    for name in names:
        shutil.rmtree(RUN / name, ignore_errors=True)
    best = RUN / "student_0" / "best.ckpt"
    seconds = {"render faces": step("Faces", render())}
    seconds["train: teachers"] = side_by_side("Train: teachers", *(training("teacher", seed) for seed in SEEDS))
    for seed in SEEDS:  # one student at a time, so that the second finds the teachers' landmarks in the cache
        pair = [training(role, seed) for role in ("student", "baseline")]
        title = f"student and baseline, seed {seed}"
        seconds[f"train: {title}"] = side_by_side(f"Train: {title}", *pair)
    seconds["export"] = step("Export", ["export", str(best), "--out", str(EXPORT), *TEST])
    seconds["op check"] = step("Op check", ["check", str(FP16), "--runtime", "2.11.0"])
    measured = {RUN / name / "best.ckpt": RUN / name / "evaluation.json" for name in names} | {FP16: FP16_RESULT}
    seconds["evaluate"] = step("Evaluate", *(evaluation(*pair) for pair in measured.items()))
    submit = ["submit", str(FP16), "--out", str(ZIP), "--results", str(FP16_RESULT)]
    seconds["submission"] = step("Submission", submit)
    return seconds


def report_sources() -> list[Path]:
    """Return what the report compares, the judged student first."""
    return [*(RUN / f"{role}_{seed}" for role in ROLES for seed in SEEDS), FP16_RESULT]


def write_report(seconds: dict[str, float]) -> tuple[Path, dict[str, Any]]:
    """Write runs/demo/report.html; return its path and the summary of the demo."""
    from distill.data.readers import read_faces
    from distill.report.gallery import gallery
    from distill.report.runs import build
    from distill.report.sources import read_sources

    paths, out = report_sources(), RUN / "report.html"
    show(["report", *map(str, paths), "--out", str(out), "--title", "distill: demo"])
    sources = read_sources(paths)
    faces = read_faces("manifest", FACES, ("test",), "inner51")
    by_name = {source.name: source.evaluations[0] for source in sources}
    captions = {"student_0": "with teacher", "baseline_0": "without teacher, the same faces"}
    pictures = {
        f"Student {words}: prediction blue, annotation orange": gallery(by_name[name], faces, range(6))
        for name, words in captions.items()
    }
    page = build(sources, "distill: demo", pictures)
    summary = summarise(by_name)
    exported = json.loads((EXPORT / "export.json").read_text())
    submission = json.loads(ZIP.with_suffix(".json").read_text())
    ops = exported["ops"]["fp16"]["rows"]
    page.heading("Operators").table(
        ("operator", "version", "count", "first runtime"),
        [[o["op"], o["version"], o["count"], o["since"]] for o in ops],
    )
    page.heading("Submission").table(("what", "value"), [[k, words(v)] for k, v in submission.items()])
    page.heading("Time").table(("step", "seconds"), [[name, round(value, 1)] for name, value in seconds.items()])
    return page.write(out), summary | checks(exported, submission)


def words(value: Any) -> str:
    """Return a value of a JSON file as text for a table: lists and mappings without their brackets and quotes."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {words(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(words, value)) or "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def summarise(evaluations: dict[str, Any]) -> dict[str, Any]:
    """Return the NME of each role by seed, and the difference that the teacher makes, in percent."""
    from distill.evaluate.seeds import seed_difference

    nme = {
        f"{role}_nme_percent": [100 * float(evaluations[f"{role}_{seed}"].nme().mean()) for seed in SEEDS]
        for role in ROLES
    }
    gain = seed_difference([(evaluations[f"student_{seed}"], evaluations[f"baseline_{seed}"]) for seed in SEEDS])
    protocol = evaluations["student_0"].protocol
    return {
        "scheme": protocol.scheme,
        "normaliser": evaluations["student_0"].primary,
        "boxes": protocol.boxes,
        "data_hash": protocol.data_hash,
        "rendered_faces": SUBSETS,
        "test_faces": protocol.n_faces,
        **nme,
        "student_minus_baseline": gain.percent(),
    }


def checks(exported: dict[str, Any], submission: dict[str, Any]) -> dict[str, Any]:
    """Return what the exported files and the package were checked for."""
    from distill.submission.dry_run import TOLERANCE_PX

    parity = exported["parity"]["results"]
    return {
        "onnx_max_px": max(stage["max_px"] for stage in parity if stage["name"].startswith("onnx")),
        "tflite_max_px": max(stage["max_px"] for stage in parity if stage["name"].startswith("fp")),
        "opcheck": passes(all(row["verdict"] == "ok" for row in exported["ops"]["fp16"]["rows"])),
        "submission": passes(submission["dry_run"]["max_px"] <= TOLERANCE_PX),
    }


def passes(good: bool) -> str:
    """Return the word for a verdict."""
    return "pass" if good else "fail"


def block(result: Mapping[str, Any]) -> str:
    """Return what the README says of a recorded run."""
    teacher, student, baseline = (
        sum(result[f"{role}_nme_percent"]) / len(result[f"{role}_nme_percent"])
        for role in ("teacher", "student", "baseline")
    )
    gain, seeds = result["student_minus_baseline"], len(result["student_nme_percent"])
    text = (
        f"NME on {result['test_faces']} unseen faces: teachers {teacher:.1f} %, students {student:.1f} % with and "
        f"{baseline:.1f} % without them, on as many images: {gain['mean']:+.2f} points (95 % {gain['low']:+.2f} to "
        f"{gain['high']:+.2f}, over faces and {seeds} seeds). {result['seconds']:.0f} s on 2 CPU cores."
    )
    return fill(text, 100)


def main() -> None:
    """Run, measure, write report.html and summary.json."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--record", action="store_true", help=f"also write {OUT} and its text in the README")
    options = parser.parse_args()
    if kept := claim(RUN):
        _console.print(f"{RUN}: of another version or with other settings; kept in {kept}")
    if options.record and FACES.exists():
        sys.exit(f"{FACES}: remove it first; the recorded time includes rendering the faces")
    started = time.monotonic()
    seconds = run_all()
    _console.rule("[bold]Report[/bold]")
    path, summary = write_report(seconds)
    summary["seconds"] = round(time.monotonic() - started, 1)
    summary["cpu_seconds"] = round(cpu_seconds(), 1)
    write_json(RUN / "summary.json", summary)
    if options.record:
        write_result(OUT, summary, data_hash=summary["data_hash"])
        update_block(OUT, block(summary))
    _console.print_json(data=summary)
    _console.print(f"[bold]open {path}[/bold]")


def cpu_seconds() -> float:
    """Return the processor time of this process and of the children it has waited for."""
    import resource

    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


if __name__ == "__main__":
    main()
