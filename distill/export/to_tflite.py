"""ONNX -> TFLite: float files by onnx2tf, the others by TensorFlow's quantizer."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from distill.errors import ConfigError, ExportError
from distill.export.config import QuantizeConfig
from distill.export.quantization_modes import MODES, require_modes
from distill.export.quantize import quantize
from distill.export.to_onnx import INPUT
from distill.files import write_bytes
from distill.spec import ModelSpec, write_sidecar
from distill.tflite.outputs import landmarks_first
from distill.tflite.pads import separate_pads
from distill.tflite.serialization import read_model
from distill.tflite.subprocesses import run_converter
from distill.tflite.weight_quantization import quantize_weights

FLOAT_FILES = {"fp32": "model_float32.tflite", "fp16": "model_float16.tflite"}

# What onnx2tf downloads when it does not find it in its working directory; only its shape matters here.
_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"

# Up to so many nodes onnx2tf runs every operator it has made against ONNX Runtime and fixes transposed axes by that.
# That takes minutes for larger ones; parity is measured on the finished file in any case.
_STRICT_NODES = 600

# Converted as plain arithmetic: TFLite has no Erf, and GELU v1 would need a runtime of 2.9.
_PSEUDO = ("erf", "gelu")


def export_tflite(
    onnx_path: str | Path,
    spec: ModelSpec,
    out_dir: str | Path,
    modes: Sequence[str] = ("fp32", "fp16"),
    stem: str = "student",
    calibration: NDArray[np.float32] | None = None,
    config: QuantizeConfig | None = None,
    timeout_s: float = 1800,
) -> dict[str, Path]:
    """Convert a graph of `export_onnx` and return one file per mode, `out_dir/STEM_MODE.tflite` with its sidecar.

    Input (1, h, w, 3) float32 RGB in [0, 1]; output (1, k, 2) float32, whatever the mode computes in between, then the
    confidence (1, k) where the graph has it. Nothing appears in `out_dir` unless every mode converted and has that
    interface.

    Args:
        modes: names in `MODES`.
        calibration: (n, h, w, 3) crops that the integer modes take the ranges of activations from.
        config: modules and operators that stay in floats in the integer modes.
        timeout_s: for each converter.

    Raises:
        ConfigError: a mode that needs calibration, without crops.
        ExportError: an unknown mode, a conversion that failed (with the path of its log) or took too long, or a file
            with another interface.
    """
    require_modes(modes)
    calibrated = [mode for mode in modes if MODES[mode].calibrated]
    if calibrated and calibration is None:
        raise ConfigError(
            f"{', '.join(calibrated)} need faces to find the ranges of activations: give calibration crops"
        )
    with tempfile.TemporaryDirectory(prefix="onnx2tf-") as folder:
        content = _convert(Path(onnx_path), Path(folder), modes, calibration, config or QuantizeConfig(), timeout_s)
    for mode, blob in content.items():
        check_interface(blob, spec, f"{stem}_{mode}.tflite")
    paths = {mode: Path(out_dir) / f"{stem}_{mode}.tflite" for mode in modes}
    for mode, path in paths.items():
        write_bytes(path, content[mode])
        write_sidecar(path, spec)
    return paths


def check_interface(blob: bytes, spec: ModelSpec, name: str) -> None:
    """Check that a TFLite file has one NHWC input, the landmarks and perhaps their confidence, all float32.

    Raises:
        ExportError: naming what it has instead.
    """
    graph, size = read_model(blob, name).main, spec.crop.size
    found = [(tensor.shape, tensor.dtype) for tensor in (*graph.inputs, *graph.outputs)]
    expected = [((1, size, size, 3), "FLOAT32"), ((1, spec.n_points, 2), "FLOAT32")]
    if found not in (expected, [*expected, ((1, spec.n_points), "FLOAT32")]):
        raise ExportError(
            f"{name}: inputs and outputs are {found}, not {expected}; the conversion changed the interface"
        )


def _convert(
    onnx_path: Path,
    folder: Path,
    modes: Sequence[str],
    calibration: NDArray[np.float32] | None,
    config: QuantizeConfig,
    timeout_s: float,
) -> dict[str, bytes]:
    """Return the content of each mode of file; `folder` is for temporary files."""
    made = run_onnx2tf(onnx_path, folder, timeout_s)
    content = {mode: (made / name).read_bytes() for mode, name in FLOAT_FILES.items()}
    if "w8" in modes:
        content["w8"] = quantize_weights(content["fp32"])
    rest = [mode for mode in modes if mode not in content]
    if rest:
        files = quantize(made, onnx_path, calibration, rest, folder, config, timeout_s)
        content |= {mode: path.read_bytes() for mode, path in files.items()}
    return {mode: separate_pads(landmarks_first(content[mode])) for mode in modes}


def run_onnx2tf(onnx_path: Path, folder: Path, timeout_s: float) -> Path:
    """Run onnx2tf on the graph in `folder`; return the folder of its SavedModel and float files."""
    np.save(folder / _SAMPLE, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    model = channels_first(onnx.load(str(onnx_path)))
    onnx.save(model, str(folder / "model.onnx"))
    # -nuo: `export_onnx` has simplified the graph. Three more runs of onnxsim would take half of the time and change no
    # byte of the files.
    options = ["-i", "model.onnx", "-o", "out", "-b", "1", "-n", "-nuo", "-osd", "-rtpo", *_PSEUDO]
    if len(model.graph.node) > _STRICT_NODES:
        options.append("--disable_strict_mode")
    run_converter("onnx2tf", ["-m", "onnx2tf", *options], folder, timeout_s)
    missing = [name for name in FLOAT_FILES.values() if not (folder / "out" / name).is_file()]
    if missing:
        raise ExportError(f"onnx2tf reported success but made no {', '.join(missing)}; run `distill doctor`")
    return folder / "out"


def channels_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the transpose an NHWC input starts with.

    onnx2tf takes every 4-D input for NCHW and converts the whole graph to NHWC itself, so the TFLite file gets NHWC
    pixels and no transpose.
    """
    graph = model.graph
    readers = [node for node in graph.node if INPUT in node.input]
    if len(readers) != 1 or readers[0].op_type != "Transpose":
        raise ExportError(
            f"the ONNX graph does not start with one transpose of '{INPUT}'; export it with `export_onnx`"
        )
    renamed = readers[0].output[0]
    for node in graph.node:
        node.input[:] = [INPUT if name == renamed else name for name in node.input]
    graph.node.remove(readers[0])
    dims = graph.input[0].type.tensor_type.shape.dim
    sizes = [dims[axis].dim_value for axis in (0, 3, 1, 2)]
    for dim, size in zip(dims, sizes, strict=True):
        dim.dim_value = size
    return model
