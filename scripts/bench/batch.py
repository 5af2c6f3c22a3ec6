"""Time of a face in files with a fixed batch of 1, 2, 4 and 8: results/bench/batch.json.

Usage: python -m scripts.bench.batch [--models efld_51_128 student_128] [--modes fp32] [--threads 1]

The weights of each released model are converted with every batch, and all its files are timed interleaved in LiteRT.
On one thread times are processor time: other programs interrupt long calls more often than short ones, which would
count against large batches. More threads are timed by the clock and need as many cores without other programs. Int8
files are calibrated on generated faces, which does not change their time.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.bench.latency import Call, Measured, Timing, compare, tflite_call
from distill.bench.machine import LoadMeter, describe_machine
from distill.export.calibration import calibrate_on
from distill.export.config import CalibrationConfig, QuantizeConfig
from distill.export.to_onnx import export_onnx, has_confidence
from distill.export.to_tflite import export_tflite
from distill.models.checkpoint import load_model
from distill.provenance import write_result
from scripts.studies.common.marked_blocks import update_block

RESULT = Path("results/bench/batch.json")
CHECKPOINTS = Path("checkpoints")
BATCHES = (1, 2, 4, 8)


def convert(model: str, modes: Sequence[str], folder: Path) -> dict[tuple[str, int], Path]:
    """Return the TFLite file of a released model by mode and batch."""
    net, spec = load_model(CHECKPOINTS / f"{model}.safetensors")
    faces = calibrate_on(spec, CalibrationConfig(faces=16)).crops
    config, confidence = QuantizeConfig().for_network(net), has_confidence(net, spec)
    files: dict[tuple[str, int], Path] = {}
    for batch in BATCHES:
        stem = f"{model}_{batch}"
        onnx = export_onnx(net, spec, folder / f"{stem}.onnx", confidence, batch)
        made = export_tflite(onnx, spec, folder, modes, stem, faces, config, batch=batch)
        files |= {(mode, batch): path for mode, path in made.items()}
    return files


def measure(files: Mapping[tuple[str, int], Path], threads: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """Return a row for each file and number of threads, timed interleaved; times in ms."""
    keys = [(mode, batch, count) for count in threads for mode, batch in files]
    calls = {str(key): _call(files[key[0], key[1]], key[2]) for key in keys}
    timings = compare(calls, rounds, 10)
    return [_row(*key, timings[str(key)], timings[str((key[0], 1, key[2]))]) for key in keys]


def _call(path: Path, threads: int) -> Call:
    """Return a call of a file that measures its own processor time where it runs on one thread."""
    call = tflite_call(path, threads)

    def measured() -> Measured:
        start = time.thread_time()
        call()
        return Measured(1000 * (time.thread_time() - start))

    return measured if threads == 1 else call


def _row(mode: str, batch: int, threads: int, timing: Timing, single: Timing) -> dict[str, Any]:
    face_ms = timing.median_ms / batch
    return {
        "mode": mode,
        "batch": batch,
        "threads": threads,
        "clock": "processor" if threads == 1 else "wall",
        "call_ms": timing.median_ms,
        "face_ms": face_ms,
        "of_batch_1": face_ms / single.median_ms,
        "spread": timing.spread,
    }


def table(result: Mapping[str, Any]) -> str:
    """Return the time of a face by batch as a Markdown table, in ms and relative to the file of batch 1."""
    heads = " | ".join(f"batch {batch}" for batch in BATCHES)
    lines = [f"| model | mode | threads | {heads} |", "|---|---|---:|" + "---:|" * len(BATCHES)]
    for model, rows in result["models"].items():
        for mode, threads in dict.fromkeys((row["mode"], row["threads"]) for row in rows):
            own = [row for row in rows if (row["mode"], row["threads"]) == (mode, threads)]
            cells = [f"{row['face_ms']:.2f} ({row['of_batch_1']:.2f})" for row in own]
            lines.append(f"| `{model}` | {mode} | {threads} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Convert, time, and write the result and its table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["efld_51_128", "student_128"])
    parser.add_argument("--modes", nargs="+", default=["fp32"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {model: convert(model, options.modes, Path(folder)) for model in options.models}
        meter = LoadMeter()
        for model in options.models:
            models[model] = measure(files[model], options.threads, options.rounds)
        content = {"rounds": options.rounds, "models": models, "machine": describe_machine(), "load": meter.read()}
    write_result(options.out, json.loads(json.dumps(content, default=str)))
    if options.out == RESULT:
        update_block(str(RESULT), table(content))


if __name__ == "__main__":
    main()
