"""Integer quantization of TFLite files, and the choice of operators that stay in floats.

An 8-bit decoder cannot tell apart positions closer than 1/256 of the crop, and products of maps in 8 bits flatten the
peaks that a soft-argmax weighs: with random weights the error was 110 px. So everything from the last layer with
weights to the output is in floats. Norm statistics are single numbers per map with a wide range: floats are free there.
Weights of layers that compute in floats are stored in 8 bits all the same and unpacked when the file is loaded: half of
EFLD's integer file would be its last layer otherwise.
"""

import json
import re
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.export.config import QuantizeConfig
from distill.export.quantization_modes import MODES
from distill.opcheck.module_map import module_map
from distill.tflite.complexity import LAYERS
from distill.tflite.float_operators import dequantize_operators
from distill.tflite.model import Operator
from distill.tflite.serialization import read_model
from distill.tflite.subprocesses import run_converter
from distill.tflite.weight_quantization import quantize_weights

_WORKER = Path(__file__).with_name("tf_worker.py")
_WEIGHTLESS = ("ADD", "SUB", "MUL", "DIV", "RSQRT", "SQRT", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")


def float_operators(
    operators: Sequence[Operator], modules: Sequence[str | None], config: QuantizeConfig, mode: str
) -> list[Operator]:
    """Return the operators that stay in floats: the decoder always, the rest as configured.

    Args:
        modules: path of the torch module that made each operator, None where unknown.
    """
    decoder, patterns = decoder_of(operators), [re.compile(pattern) for pattern in config.modules(mode)]
    return [
        operator
        for operator, module in zip(operators, modules, strict=True)
        if operator in decoder
        or operator.op in config.float_ops
        or (module is not None and any(pattern.fullmatch(module) for pattern in patterns))
        or (config.float_statistics and operator.op in _WEIGHTLESS and _is_statistic(operator))
    ]


def _is_statistic(operator: Operator) -> bool:
    """One number, or one for each channel of a map."""
    shape = operator.outputs[-1].shape
    return len(shape) != 2 and prod(shape) == max(shape[-1:], default=1)


def decoder_of(operators: Sequence[Operator]) -> set[Operator]:
    """Return the operators from the outputs back to the last weights.

    A layer that gives the coordinates themselves, as a regression's last one does, decodes too.
    """
    writers = {tensor: operator for operator in operators for tensor in operator.outputs}
    read = {tensor for operator in operators for tensor in operator.present_inputs}
    open_ends = [operator for operator in operators if read.isdisjoint(operator.outputs)]
    found, size = set[Operator](), max(prod(operator.outputs[-1].shape) for operator in open_ends)
    while open_ends:
        operator = open_ends.pop()
        if operator in found:
            continue
        found.add(operator)
        if operator.op not in LAYERS:
            before = [writers[tensor] for tensor in operator.present_inputs if tensor in writers]
            open_ends += [each for each in before if each.op not in LAYERS or prod(each.outputs[-1].shape) == size]
    return found


def quantize(
    saved_model: Path,
    onnx_path: Path,
    crops: NDArray[np.float32] | None,
    modes: Sequence[str],
    folder: Path,
    config: QuantizeConfig,
    timeout_s: float,
) -> dict[str, Path]:
    """Make the `dynamic`, `int8`, `int8_hybrid` and `int16x8` files among `modes` in `folder`.

    Args:
        saved_model: what onnx2tf made of `onnx_path`.
        crops: (n, h, w, 3) float32 to find the ranges of activations with; only calibrated modes need them.
        timeout_s: for each of two runs of TensorFlow.

    Raises:
        ExportError: TensorFlow failed or took too long, or the files are not the network of `onnx_path`.
    """
    files = {mode: folder / f"{mode}.tflite" for mode in modes}
    job = {mode: str(path) for mode, path in files.items() if mode in ("dynamic", "int16x8")}
    if crops is not None:
        np.save(folder / "crops.npy", crops)
        job |= {"crops": str(folder / "crops.npy"), "calibrated": str(folder / "calibrated.tflite")}
    _work({"saved_model": str(saved_model), **job}, folder, timeout_s)
    if crops is not None:
        names = _float_names(onnx_path, folder / "calibrated.tflite", crops[0], modes, config)
        integer = [{"file": str(files[mode]), "float": names[mode]} for mode in names if mode.startswith("int8")]
        if integer:
            _work({"calibrated": job["calibrated"], "integer": integer}, folder, timeout_s)
        if "int16x8" in names:
            files["int16x8"].write_bytes(dequantize_operators(files["int16x8"].read_bytes(), names["int16x8"]))
        for mode in names:
            files[mode].write_bytes(quantize_weights(files[mode].read_bytes()))
    return files


def quantize_unnamed(saved_model: Path, inputs: NDArray[np.float32], folder: Path, timeout_s: float) -> Path:
    """Make an int8 file of every operator that has an 8-bit form, with outputs in floats; return its path.

    For networks with several outputs, which are decoded outside of the graph.

    Args:
        saved_model: what onnx2tf made.
        inputs: (n, h, w, 3) float32 to find the ranges of activations with.
        folder: for the files.
        timeout_s: for each of two runs of TensorFlow.

    Raises:
        ExportError: TensorFlow failed or took too long.
    """
    np.save(folder / "crops.npy", inputs)
    calibrated, made = folder / "calibrated.tflite", folder / "int8.tflite"
    job = {"saved_model": str(saved_model), "crops": str(folder / "crops.npy"), "calibrated": str(calibrated)}
    _work(job, folder, timeout_s)
    _work({"calibrated": str(calibrated), "integer": [{"file": str(made), "float": []}]}, folder, timeout_s)
    return made


def _float_names(
    onnx_path: Path, calibrated: Path, image: NDArray[np.float32], modes: Sequence[str], config: QuantizeConfig
) -> dict[str, list[str]]:
    """Return, for each calibrated mode, the tensors whose operators stay in floats."""
    model = read_model(calibrated)
    modules = module_map(model, onnx_path, image)
    return {
        mode: [operator.outputs[-1].name for operator in float_operators(model.operators, modules, config, mode)]
        for mode in modes
        if MODES[mode].calibrated
    }


def _work(job: dict[str, Any], folder: Path, timeout_s: float) -> None:
    """Run one job of `tf_worker.py`."""
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    run_converter("quantizer", [str(_WORKER), str(path)], folder, timeout_s)
