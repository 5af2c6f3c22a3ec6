"""Modern lane: float files by onnx2tf 2.6 without TensorFlow, the others by litert-quantizer."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from distill.environments import ensure_environment
from distill.errors import ExportError
from distill.export.lanes.channels_first import channels_first
from distill.export.lanes.job import Job
from distill.export.lanes.small_bounds import restore_bounds, small_bounds
from distill.export.quantization_modes import MODES
from distill.opcheck.check import oldest_release
from distill.tflite.activation_ranges import Ranges, activation_ranges
from distill.tflite.bias_range import with_room_for_biases
from distill.tflite.factor_range import with_room_for_factors
from distill.tflite.fuse_activations import fuse_relu
from distill.tflite.model import Model
from distill.tflite.scalar_axes import scalar_axes
from distill.tflite.serialization import read_model, write_model
from distill.tflite.subprocesses import ONNX2TF, run_converter
from distill.tflite.weight_quantization import half_weights, quantize_weights
from distill.tflite.written_values import drop_written_values

_FLOAT_FILE = "model_float32.tflite"
_WORKER = Path(__file__).with_name("modern_worker.py")


def convert(job: Job) -> dict[str, bytes]:
    """Return the content of the file of each mode."""
    python = ensure_environment("modern", job.environment)
    float_file = run_onnx2tf(job, python)
    content = {"fp32": float_file.read_bytes()}
    # Not by the converters: onnx2tf makes float16 inputs.
    passes = {"fp16": half_weights, "w8": quantize_weights}
    content |= {mode: change(content["fp32"]) for mode, change in passes.items() if mode in job.modes}
    rest = [mode for mode in job.modes if mode not in content]
    if rest:
        content |= _quantize(job, float_file, rest, python)
    return {mode: _with_min_runtime(scalar_axes(content[mode])) for mode in job.modes}


def _with_min_runtime(blob: bytes) -> bytes:
    """Note the oldest runtime in a file, as TensorFlow's converter does and onnx2tf without TensorFlow does not."""
    model = read_model(blob)
    release = oldest_release(model)
    return blob if release is None else write_model(model.with_min_runtime(release))


def run_onnx2tf(job: Job, python: str) -> Path:
    """Run onnx2tf in the folder of the job; return the float file."""
    graph = channels_first(onnx.load(str(job.onnx)))
    onnx.save(graph, str(job.folder / "model.onnx"))
    options = ["-i", "model.onnx", "-o", "out", "-b", str(job.batch), "-n", "-nuo", "-v", "error"]
    run_converter("onnx2tf", [*ONNX2TF, *options], job.folder, job.timeout_s, python)
    made = job.folder / "out" / _FLOAT_FILE
    if not made.is_file():
        raise ExportError(f"onnx2tf reported success but made no {_FLOAT_FILE}; try --lane classic")
    content = restore_bounds(drop_written_values(made.read_bytes()), small_bounds(graph))
    made.write_bytes(fuse_relu(content))
    return made


def _quantize(job: Job, float_file: Path, modes: list[str], python: str) -> dict[str, bytes]:
    """Return the files that litert-quantizer makes of a float one."""
    names: Mapping[str, Sequence[str]] = {}
    work: dict[str, Any] = {"float": str(float_file)}
    if job.quantization is not None:
        model = read_model(float_file)
        names = job.quantization.float_names(model)
        measured = with_room_for_factors(model, activation_ranges(float_file, job.quantization.inputs()))
        work["ranges"] = _ranges(model, measured)
        fitted = job.folder / "fitted.tflite"
        fitted.write_bytes(with_room_for_biases(float_file.read_bytes(), measured))
        work["float"] = str(fitted)
    files = {mode: job.folder / f"{mode}.tflite" for mode in modes}
    work["files"] = [{"file": str(files[mode]), "mode": mode, "float": names.get(mode, [])} for mode in modes]
    path = job.folder / "job.json"
    path.write_text(json.dumps(work))
    run_converter("litert-quantizer", [str(_WORKER), str(path)], job.folder, job.timeout_s, python)
    content = {mode: file.read_bytes() for mode, file in files.items()}
    # Written again in any case: tflite-runtime 2.11 finds no weights in the quantizer's own files.
    return {
        mode: quantize_weights(blob) if MODES[mode].calibrated else write_model(read_model(blob))
        for mode, blob in content.items()
    }


def _ranges(model: Model, measured: Ranges) -> dict[str, tuple[int, float, float]]:
    """Return the number of axes, the least and the greatest value of every activation, by its name."""
    tensors = [tensor for tensor in model.main.all_tensors() if tensor.buffer is None]
    return {tensor.name: (len(tensor.shape), *measured[tensor.name]) for tensor in tensors if tensor.name in measured}
