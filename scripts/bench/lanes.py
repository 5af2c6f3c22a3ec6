"""Time, size, accuracy and speed of both converter lanes, side by side: results/bench/lanes.json.

Usage: python -m scripts.bench.lanes --root ../shared/data/300W [--models student_68_128 efld_51_128]

Each lane exports each released model in fp32, fp16 and int8 with parity in a process of its own, in turns. The process
sees no TensorFlow runtime, as in an installation without TensorFlow. CPU seconds are those of the process and its
children; seconds include waiting for other processes. The files are then timed interleaved with the released one.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from distill.bench.latency import compare, tflite_call
from distill.bench.machine import LoadMeter, describe_machine
from distill.evaluate.evaluate import evaluate
from distill.export import pipeline
from distill.export.config import CalibrationConfig, ExportConfig, Lane
from distill.export.export import convert_checkpoint
from distill.provenance import write_result
from distill.tflite.runtimes import list_runtimes
from scripts.studies.common.marked_blocks import update_block

RESULT = Path("results/bench/lanes.json")
CHECKPOINTS = Path("checkpoints")
MODES = ("fp32", "fp16", "int8")
TRAIN, TEST = "helen/trainset+lfpw/trainset", "helen/testset+lfpw/testset"


def export_once(model: str, lane: Lane, root: Path, out: Path) -> None:
    """Export in this process and write what it took to `OUT/cost.json`."""
    start = time.perf_counter()
    runtimes = [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"]
    pipeline.list_runtimes = lambda: runtimes
    calibration = CalibrationConfig("300w", root, TRAIN)
    config = ExportConfig(MODES, calibration=calibration, lane=lane)
    with convert_checkpoint(CHECKPOINTS / f"{model}.safetensors", out, config) as (conversion, _):
        conversion.require()
        conversion.publish()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cost = {
        "cpu_seconds": sum(each.ru_utime + each.ru_stime for each in used),
        "seconds": time.perf_counter() - start,
        "runtimes": [str(runtime) for runtime in runtimes],
    }
    (out / "cost.json").write_text(json.dumps(cost))


def export_in_child(model: str, lane: Lane, root: Path, out: Path) -> dict[str, Any]:
    """Return the cost of an export, start of Python included."""
    command = [sys.executable, "-m", "scripts.bench.lanes", "--root", str(root), "--models", model]
    start = time.perf_counter()
    subprocess.run([*command, "--lane", lane, "--out", str(out)], check=True)
    cost: dict[str, Any] = json.loads((out / "cost.json").read_text())
    return cost | {"seconds": time.perf_counter() - start}


def accuracy(path: Path, root: Path) -> dict[str, Any]:
    """Return NME (inter-ocular, %) of a file on 300-W common in LiteRT, and how it was measured."""
    found = evaluate(path, format="300w", root=root, subset=TEST, progress=False)
    return {"nme_percent": 100 * found.summary()["nme"], "protocol": found.protocol.to_dict()}


def compare_lanes(model: str, root: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Export one model in every lane and compare the files with each other and with the released one."""
    lanes: tuple[Lane, ...] = get_args(Lane)
    costs = {lane: export_in_child(model, lane, root, folder / lane) for lane in lanes}
    files = {f"{lane}_{mode}": folder / lane / f"student_{mode}.tflite" for lane in lanes for mode in MODES}
    files |= {f"released_{path.stem.rpartition('_')[2]}": path for path in CHECKPOINTS.glob(f"{model}_*.tflite")}
    timings = compare({name: tflite_call(path) for name, path in files.items()}, rounds, 10)
    rows = {
        name: {"bytes": path.stat().st_size, "ms": timings[name].median_ms, "spread": timings[name].spread}
        | accuracy(path, root)
        for name, path in files.items()
    }
    parity = {
        lane: {
            row["name"]: {"max_px": row["max_px"], "mean_px": row["mean_px"]}
            for row in json.loads((folder / lane / "export.json").read_text())["parity"]["results"]
        }
        for lane in lanes
    }
    ratio = costs["classic"]["cpu_seconds"] / costs["modern"]["cpu_seconds"]
    return {"costs": costs, "classic_over_modern_cpu": ratio, "files": rows, "parity": parity}


def table(result: Mapping[str, Any]) -> str:
    """Return cost of the export, time and NME of the files of every lane as a Markdown table."""
    heads = [f"{mode}: ms, NME %" for mode in MODES]
    lines = [f"| model | lane | export, s (s of processor) | {' | '.join(heads)} |", "|---|---|---:|---:|---:|---:|"]
    for model, found in result["models"].items():
        for lane, cost in found["costs"].items():
            files = [found["files"][f"{lane}_{mode}"] for mode in MODES]
            cells = [f"{file['ms']:.2f}, {file['nme_percent']:.2f}" for file in files]
            spent = f"{cost['seconds']:.0f} ({cost['cpu_seconds']:.0f})"
            lines.append(f"| `{model}` | `{lane}` | {spent} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Compare the lanes, or export once in a child process (`--lane`)."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder of 300-W")
    parser.add_argument("--models", nargs="+", default=["student_68_128", "efld_51_128"])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--lane", choices=get_args(Lane))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.lane:
        export_once(options.models[0], options.lane, options.root, options.out)
        return
    meter = LoadMeter()
    with tempfile.TemporaryDirectory() as folder:
        models = {
            model: compare_lanes(model, options.root, Path(folder, model), options.rounds) for model in options.models
        }
    content = {"models": models, "machine": describe_machine(), "load": meter.read()}
    write_result(RESULT, json.loads(json.dumps(content, default=str)))
    update_block(str(RESULT), table(content))


if __name__ == "__main__":
    main()
