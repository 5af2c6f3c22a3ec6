"""Measure every exported file of a model: distance, NME, latency, size and runtimes.

    python -m scripts.studies.deploy DATA student=checkpoints/student_128.safetensors efld=runs/efld/best.ckpt

Writes results/studies/deploy.json and its table in the documentation.

DATA is a 300-W folder. Integers are calibrated on 100 faces of its trainsets; NMEs are of the 554 faces of the common
test set in LiteRT, distances between runtimes of 32 of them. What was measured already is kept in --work and not
measured again as long as the model's file is the same, so the command can be stopped at any time; rows of models that
are not given stay as they are. Latencies are measured at the end and every time, all files of all models in turns, so
that they compare. Gates stand open here, because the table is to show what misses them too; nothing measured here is a
release.
"""

import argparse
import json
from pathlib import Path
from textwrap import fill
from typing import Any

from distill.bench.latency import compare
from distill.bench.models import load_call
from distill.errors import ConfigError
from distill.export.quantization_modes import MODES
from distill.provenance import commit, write_result
from scripts.studies.common.cached import converted, scored
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST, TRAIN

OUT = "results/studies/deploy.json"
# Largest relative growth of the NME by quantization mode.
PROMISES = {"fp16": 0.005, "dynamic": 0.02, "int8": 0.05}
THREADS = (1, 2)


def rows(name: str, model: Path, data: Path, work: Path, faces: int, limit: int | None) -> list[dict[str, Any]]:
    """Return one row for each stage of a model."""
    converted(name, model, data, work, faces=faces, parity_report=True)
    found, out = json.loads((work / "parity.json").read_text()), []
    files = files_of(name, model, work)
    scores = {stage: json.loads(scored(file, data, work, limit=limit).read_text()) for stage, file in files.items()}
    reference = scores["torch"]["metrics"]["ocular"]["nme_percent"]
    for stage in found["rows"]:
        parity, measured = stage["parity"], scores[stage["name"]]
        percent = measured["metrics"]["ocular"]["nme_percent"]
        change, promise = percent / reference - 1, PROMISES.get(stage["name"])
        out.append(
            {
                "model": name,
                "commit": commit(),
                "stage": stage["name"],
                "description": stage["what"],
                "nme_percent": percent,
                "nme_change_percent": 100 * change,
                "promise_percent": None if promise is None else 100 * promise,
                "promise_met": None if promise is None else change <= promise,
                "max_px": parity and parity["max_px"],
                "mean_px": parity and parity["mean_px"],
                "groups_px": parity and parity["groups"],
                "latency_ms": {},
                "bytes": stage["bytes"],
                "peak_bytes": stage["peak_bytes"],
                "runtimes_max_px": stage["runtimes"],
                "data_hash": measured["protocol"]["data_hash"],
                "faces": measured["protocol"]["n_faces"],
                "unstable": None,
                "calibration": found["calibration"] if stage["name"] in MODES else None,
                "sensitive": [cost["module"] for cost in found["layers"].get(stage["name"], [])[:3]],
            }
        )
    return out


def files_of(name: str, model: Path, work: Path) -> dict[str, Path]:
    """Return the file of each stage."""
    return {"torch": model, "onnx": work / f"{name}.onnx"} | {kind: work / f"{name}_{kind}.tflite" for kind in MODES}


def add_latencies(measured: list[dict[str, Any]], files: dict[tuple[str, str], Path], rounds: int) -> None:
    """Time every file on one and two threads, all in turns, and write the medians into their rows."""
    calls = {(*key, threads): load_call(path, threads) for threads in THREADS for key, path in files.items()}
    timings = compare({" ".join(map(str, key)): call for key, call in calls.items()}, rounds, progress=True)
    for row in measured:
        own = {n: timings[f"{row['model']} {row['stage']} {n}"] for n in THREADS}
        row["latency_ms"] = {str(n): timing.median_ms for n, timing in own.items()}
        row["unstable"] = not all(timing.stable for timing in own.values())


def table(measured: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| model | stage | NME % | change % | max px | mean px | ms ×1 | ms ×2 | MB | runs in (max px) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in measured:
        px = ("–", "–") if row["max_px"] is None else (f"{row['max_px']:.2f}", f"{row['mean_px']:.3f}")
        ms = (f"{row['latency_ms'][threads]:.2f}" for threads in ("1", "2"))
        size = "–" if row["bytes"] is None else f"{row['bytes'] / 1e6:.2f}"
        runs = ", ".join(f"{name} ({px:.2f})" for name, px in row["runtimes_max_px"].items()) or "–"
        verdict = "" if row["promise_met"] is None else (" (met)" if row["promise_met"] else " (missed)")
        change = f"{row['nme_change_percent']:+.2f}{verdict}"
        cells = [row["model"], row["stage"], f"{row['nme_percent']:.3f}", change, *px, *ms, size, runs]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def note(measured: list[dict[str, Any]]) -> str:
    """Return what the reader of the table must know."""
    faces = measured[0]["faces"]
    busy = " The machine was busy: compare latencies with care." if any(row["unstable"] for row in measured) else ""
    return (
        f"NME of {faces} faces of the 300-W common test set (all points of the model, inter-ocular, true boxes) in "
        "LiteRT; change relative to PyTorch, with the limit met or missed where there is one (fp16 0.5 %, dynamic 2 %, "
        "int8 5 %). Distances are pixels of the crop on fewer faces, in every runtime. Milliseconds compare within a "
        "run only: "
        f"models whose rows name another commit in results/studies/deploy.json were timed in another.{busy}"
    )


def block(result: dict[str, Any]) -> str:
    """Return the block of the documentation for a stored result."""
    return f"{fill(note(result['rows']), 100)}\n\n{table(result['rows'])}"


def main() -> None:
    """Measure every model given and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a 300-W folder")
    parser.add_argument("models", nargs="+", help="NAME=PATH of a checkpoint")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/deploy"), help="where the files and what is measured lie"
    )
    parser.add_argument("--out", type=Path, default=Path(OUT))
    parser.add_argument("--faces", type=int, default=32, help="faces the stages are compared on in every runtime")
    parser.add_argument("--rounds", type=int, default=40, help="timed calls of every file")
    parser.add_argument("--limit", type=int, help="measure the NME on fewer faces, to try the command")
    args = parser.parse_args()
    models = dict(entry.partition("=")[::2] for entry in args.models)
    unnamed = [name for name, path in models.items() if not path]
    if unnamed:
        raise ConfigError(f"'{unnamed[0]}' is no NAME=PATH; write student={unnamed[0]}")
    measured: list[dict[str, Any]] = []
    for name, path in models.items():
        measured += rows(name, Path(path), args.data, args.work / name, args.faces, args.limit)
    paths = {name: files_of(name, Path(path), args.work / name) for name, path in models.items()}
    files = {(name, stage): path for name, stages in paths.items() for stage, path in stages.items()}
    add_latencies(measured, files, args.rounds)
    if args.out.is_file():
        measured += [row for row in json.loads(args.out.read_text())["rows"] if row["model"] not in models]
    protocol = {"calibration": TRAIN, "test": TEST, "promises_percent": {k: 100 * v for k, v in PROMISES.items()}}
    write_result(args.out, {"protocol": protocol, "rows": measured})
    if args.out == Path(OUT):
        update_block(OUT, block({"rows": measured}))
    print(table(measured))


if __name__ == "__main__":
    main()
