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
from pathlib import Path
from typing import Any, get_args

import numpy as np

from distill.bench.latency import compare, tflite_call
from distill.bench.machine import LoadMeter, describe_machine
from distill.data.crops import face_crops
from distill.export import pipeline
from distill.export.config import CalibrationConfig, ExportConfig, Lane
from distill.export.export import convert_checkpoint
from distill.landmarks import load_scheme
from distill.provenance import write_result
from distill.spec import read_sidecar
from distill.tflite.runtimes import RuntimeFailure, list_runtimes, run_in_child

RESULT = Path("results/bench/lanes.json")
CHECKPOINTS = Path("checkpoints")
MODES = ("fp32", "fp16", "int8")
TRAIN, TEST = "helen/trainset+lfpw/trainset", "helen/testset+lfpw/testset"
FACES = 554


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


def accuracy(path: Path, root: Path) -> dict[str, float]:
    """Return NME (inter-ocular, %) of a file on 300-W common in LiteRT."""
    spec = read_sidecar(path)
    assert spec is not None
    crops, landmarks = face_crops(spec, FACES, "300w", root, TEST)
    litert = next(runtime for runtime in list_runtimes() if runtime.name == "litert")
    found = run_in_child(litert, path, crops)
    if isinstance(found, RuntimeFailure):
        raise SystemExit(f"{path}: {found.text}")
    eyes = load_scheme(spec.scheme).eye_distance(landmarks, "ocular")
    errors = np.linalg.norm(found[..., :2] - landmarks, axis=-1).mean(-1)
    return {"nme_percent": float(100 * (errors / eyes).mean())}


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


if __name__ == "__main__":
    main()
