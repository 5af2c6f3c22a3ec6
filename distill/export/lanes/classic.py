"""Classic lane: float files by onnx2tf 1.28, the others by the quantizer of TensorFlow 2.19.

TensorFlow 2.19 is the newest release whose files the old runtimes take: 2.21 writes SQRT v2, which none up to 2.14 has.
"""

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import onnx

from distill.environments import ensure_environment
from distill.errors import ExportError
from distill.export.lanes.channels_first import channels_first
from distill.export.lanes.job import Job
from distill.tflite.activation_ranges import activation_ranges, with_ranges
from distill.tflite.factor_range import with_room_for_factors
from distill.tflite.float_operators import dequantize_operators
from distill.tflite.serialization import read_model
from distill.tflite.subprocesses import RunJob, converter_server
from distill.tflite.weight_quantization import quantize_weights

_FLOAT_FILES = {"fp32": "model_float32.tflite", "fp16": "model_float16.tflite"}

# What onnx2tf downloads when it does not find it in its working directory; only its shape matters here.
_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"

# Up to so many nodes onnx2tf runs every operator it has made against ONNX Runtime and fixes transposed axes by that.
# That takes minutes for larger ones; parity is measured on the finished file in any case.
_STRICT_NODES = 600

# Converted as plain arithmetic: TFLite has no Erf, and GELU v1 would need a runtime of 2.9.
_PSEUDO = ("erf", "gelu")
_WORKER = Path(__file__).with_name("classic_worker.py")


def convert(job: Job) -> dict[str, bytes]:
    """Return the content of the file of each mode."""
    with _tensorflow(job.folder, job.timeout_s, ensure_environment("classic", job.environment)) as run:
        made = _run_onnx2tf(job.onnx, job.folder, run, job.batch)
        content = {mode: (made / name).read_bytes() for mode, name in _FLOAT_FILES.items()}
        if "w8" in job.modes:
            content["w8"] = quantize_weights(content["fp32"])
        if any(mode not in content for mode in job.modes):
            content |= _quantize(job, made, run)
    return {mode: content[mode] for mode in job.modes}


def _tensorflow(folder: Path, timeout_s: float, python: str) -> AbstractContextManager[RunJob]:
    """Start TensorFlow for the jobs of an export (`classic_worker`); the context's value runs one.

    One process, because importing TensorFlow takes longer than most jobs.

    Args:
        folder: for temporary files; the working directory of the jobs.
        timeout_s: for each job.
        python: interpreter of the classic environment.
    """
    return converter_server([str(_WORKER)], folder, timeout_s, python)


def _run_onnx2tf(onnx_path: Path, folder: Path, run: RunJob, batch: int = 1) -> Path:
    """Run onnx2tf on the graph; return the folder of its SavedModel and float files.

    Args:
        onnx_path: graph.
        folder: the one that TensorFlow was started in.
        run: of `_tensorflow`.
        batch: size of the graph's batch dimension.

    Raises:
        ExportError: onnx2tf failed or took too long.
    """
    np.save(folder / _SAMPLE, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    model = channels_first(onnx.load(str(onnx_path)))
    onnx.save(model, str(folder / "model.onnx"))
    # -nuo: `export_onnx` has simplified the graph. Three more runs of onnxsim would take half of the time and change no
    # byte of the files.
    options = ["-i", "model.onnx", "-o", "out", "-b", str(batch), "-n", "-nuo", "-osd", "-rtpo", *_PSEUDO]
    if len(model.graph.node) > _STRICT_NODES:
        options.append("--disable_strict_mode")
    run("onnx2tf", {"onnx2tf": options})
    missing = [name for name in _FLOAT_FILES.values() if not (folder / "out" / name).is_file()]
    if missing:
        raise ExportError(f"onnx2tf reported success but made no {', '.join(missing)}; run `distill doctor`")
    return folder / "out"


def _quantize(job: Job, saved_model: Path, run: RunJob) -> dict[str, bytes]:
    """Return the `dynamic`, `int8`, `int8_hybrid` and `int16x8` files among the modes, made from a SavedModel."""
    folder = job.folder
    files = {mode: folder / f"{mode}.tflite" for mode in job.modes if mode not in (*_FLOAT_FILES, "w8")}
    work = {mode: str(path) for mode, path in files.items() if mode in ("dynamic", "int16x8")}
    if job.quantization is not None:
        work |= {"inputs": str(_save_inputs(job)), "calibrated": str(folder / "calibrated.tflite")}
    run("quantizer", {"saved_model": str(saved_model), **work})
    if job.quantization is None:
        return {mode: path.read_bytes() for mode, path in files.items()}
    calibrated = folder / "calibrated.tflite"
    ranges = with_room_for_factors(read_model(calibrated), activation_ranges(calibrated, job.quantization.inputs()))
    calibrated.write_bytes(with_ranges(calibrated.read_bytes(), ranges))
    names = job.quantization.float_names(read_model(calibrated))
    integer = [{"file": str(files[mode]), "float": names[mode]} for mode in names if mode.startswith("int8")]
    if integer:
        run("quantizer", {"calibrated": str(calibrated), "integer": integer})
    if "int16x8" in names:
        files["int16x8"].write_bytes(dequantize_operators(files["int16x8"].read_bytes(), names["int16x8"]))
    for mode in names:
        files[mode].write_bytes(quantize_weights(files[mode].read_bytes()))
    return {mode: path.read_bytes() for mode, path in files.items()}


def _save_inputs(job: Job) -> Path:
    """Write the inputs that TensorFlow calibrates on, (m, b, h, w, 3), and return the file.

    It is to note that activations have ranges; those it finds are replaced, but for `int16x8`.
    """
    assert job.quantization is not None
    if "int16x8" in job.modes:
        inputs = np.stack(list(job.quantization.inputs()))
    else:
        shape = onnx.load(str(job.onnx), load_external_data=False).graph.input[0].type.tensor_type.shape
        inputs = np.zeros((1, *(axis.dim_value for axis in shape.dim)), np.float32)
    path = job.folder / "inputs.npy"
    np.save(path, inputs)
    return path
