"""Classic lane: float files by onnx2tf 1.28, the others by the quantizer of TensorFlow 2.19.

TensorFlow 2.19 is the newest release whose files the old runtimes take: 2.21 writes SQRT v2, which none up to 2.14 has.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from distill.environments import ensure_environment
from distill.errors import ExportError
from distill.export.lanes.channels_first import channels_first
from distill.export.lanes.job import Job
from distill.export.quantize import ends_of, float_names, stem_of
from distill.inference.batches import padded_batches
from distill.tflite.activation_ranges import activation_ranges, with_ranges
from distill.tflite.float_operators import dequantize_operators
from distill.tflite.serialization import read_model
from distill.tflite.subprocesses import RunJob, converter_server
from distill.tflite.weight_quantization import quantize_weights

FLOAT_FILES = {"fp32": "model_float32.tflite", "fp16": "model_float16.tflite"}

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
    with tensorflow(job.folder, job.timeout_s, ensure_environment("classic", job.environment)) as run:
        made = run_onnx2tf(job.onnx, job.folder, run, job.batch)
        content = {mode: (made / name).read_bytes() for mode, name in FLOAT_FILES.items()}
        if "w8" in job.modes:
            content["w8"] = quantize_weights(content["fp32"])
        if any(mode not in content for mode in job.modes):
            content |= _quantize(job, made, run)
    return {mode: content[mode] for mode in job.modes}


def tensorflow(folder: Path, timeout_s: float, python: str) -> AbstractContextManager[RunJob]:
    """Start TensorFlow for the jobs of an export (`classic_worker`); the context's value runs one.

    One process, because importing TensorFlow takes longer than most jobs.

    Args:
        folder: for temporary files; the working directory of the jobs.
        timeout_s: for each job.
        python: interpreter of the classic environment.
    """
    return converter_server([str(_WORKER)], folder, timeout_s, python)


def run_onnx2tf(onnx_path: Path, folder: Path, run: RunJob, batch: int = 1) -> Path:
    """Run onnx2tf on the graph; return the folder of its SavedModel and float files.

    Args:
        onnx_path: graph.
        folder: the one that TensorFlow was started in.
        run: of `tensorflow`.
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
    missing = [name for name in FLOAT_FILES.values() if not (folder / "out" / name).is_file()]
    if missing:
        raise ExportError(f"onnx2tf reported success but made no {', '.join(missing)}; run `distill doctor`")
    return folder / "out"


def _quantize(job: Job, saved_model: Path, run: RunJob) -> dict[str, bytes]:
    """Return the `dynamic`, `int8`, `int8_hybrid` and `int16x8` files among the modes, made from a SavedModel."""
    folder, crops = job.folder, job.crops
    files = {mode: folder / f"{mode}.tflite" for mode in job.modes if mode not in (*FLOAT_FILES, "w8")}
    work = {mode: str(path) for mode, path in files.items() if mode in ("dynamic", "int16x8")}
    if crops is not None:
        work |= {"crops": str(job.save_crops()), "calibrated": str(folder / "calibrated.tflite")}
    run("quantizer", {"saved_model": str(saved_model), **work})
    if crops is None:
        return {mode: path.read_bytes() for mode, path in files.items()}
    _measure_ranges(folder / "calibrated.tflite", padded_batches(crops, job.batch))
    model = read_model(folder / "calibrated.tflite")
    names = float_names(model, job.onnx, crops[0], job.modes, job.config)
    integer = [{"file": str(files[mode]), "float": names[mode]} for mode in names if mode.startswith("int8")]
    if integer:
        run("quantizer", {"calibrated": work["calibrated"], "integer": integer})
    if "int16x8" in names:
        files["int16x8"].write_bytes(dequantize_operators(files["int16x8"].read_bytes(), names["int16x8"]))
    for mode in names:
        files[mode].write_bytes(quantize_weights(files[mode].read_bytes()))
    return {mode: path.read_bytes() for mode, path in files.items()}


def quantize_dynamic(saved_model: Path, folder: Path, run: RunJob) -> Path:
    """Make a `dynamic` file from the SavedModel that onnx2tf made; return its path.

    Raises:
        ExportError: TensorFlow failed or took too long.
    """
    made = folder / "dynamic.tflite"
    run("quantizer", {"saved_model": str(saved_model), "dynamic": str(made)})
    return made


def quantize_unnamed(
    saved_model: Path,
    side: int,
    inputs: Iterable[NDArray[np.float32]],
    folder: Path,
    run: RunJob,
    float_ends: bool = True,
) -> Path:
    """Make an int8 file whose first layer, last layers and outputs are in floats; return its path.

    For networks with several outputs, decoded outside of the graph or in it. The first layer is in floats for its
    time (`stem_of`), the last ones because an output in 8 bits has 256 values for what a wide map holds.

    Args:
        saved_model: what onnx2tf made.
        side: of the square input that the graph was traced with.
        inputs: each (1, h, w, 3) float32 of any size, to find the ranges of activations with.
        folder: for the files.
        run: of `tensorflow`.
        float_ends: False computes every operator that has an 8-bit form in integers, as quantization-aware training
            simulates.

    Raises:
        ExportError: TensorFlow failed or took too long.
    """
    np.save(folder / "crops.npy", np.zeros((1, 1, side, side, 3), np.float32))  # only notes that there are ranges
    calibrated, made = folder / "calibrated.tflite", folder / "int8.tflite"
    work = {"saved_model": str(saved_model), "crops": str(folder / "crops.npy"), "calibrated": str(calibrated)}
    run("quantizer", work)
    _measure_ranges(calibrated, inputs)
    graph = read_model(calibrated).main
    floats = [*stem_of(graph.operators, graph.inputs[0]), *ends_of(graph.operators)] if float_ends else []
    names = sorted(operator.outputs[-1].name for operator in floats)
    run("quantizer", {"calibrated": str(calibrated), "integer": [{"file": str(made), "float": names}]})
    return made


def _measure_ranges(calibrated: Path, inputs: Iterable[NDArray[np.float32]]) -> None:
    """Replace the ranges that TensorFlow noted in a file by those of `activation_ranges`."""
    ranges = activation_ranges(calibrated, inputs)
    calibrated.write_bytes(with_ranges(calibrated.read_bytes(), ranges))
