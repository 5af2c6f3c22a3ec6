"""ONNX -> TFLite in one of the converter lanes, with the interface checked."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError, ExportError
from distill.export.config import Lane, QuantizeConfig
from distill.export.lanes import Job, Quantization, convert
from distill.export.quantization_modes import MODES, require_modes
from distill.export.quantize import float_names
from distill.export.tflite_metadata import with_landmark_metadata
from distill.files import write_bytes
from distill.inference.batches import padded_batches
from distill.spec import ModelSpec, write_sidecar
from distill.tflite.model import Model
from distill.tflite.outputs import landmarks_first
from distill.tflite.pads import separate_pads
from distill.tflite.serialization import read_model


def export_tflite(
    onnx_path: str | Path,
    spec: ModelSpec,
    out_dir: str | Path,
    modes: Sequence[str] = ("fp32", "fp16"),
    stem: str = "student",
    calibration: NDArray[np.float32] | None = None,
    config: QuantizeConfig | None = None,
    timeout_s: float = 1800,
    lane: Lane = "modern",
    environment: Path | None = None,
    license: str = "",
    batch: int = 1,
) -> dict[str, Path]:
    """Convert a graph of `export_onnx` and return one file per mode, `out_dir/STEM_MODE.tflite` with its sidecar.

    Input (b, h, w, 3) float32 RGB in [0, 1]; output (b, k, 2) float32, whatever the mode computes in between, then the
    confidence (b, k) where the graph has it. Nothing appears in `out_dir` unless every mode converted and has that
    interface.

    Args:
        modes: names in `MODES`.
        calibration: (n, h, w, 3) crops that the integer modes take the ranges of activations from.
        config: modules and operators that stay in floats in the integer modes.
        timeout_s: for each converter.
        lane: which converter.
        environment: interpreter or virtual environment that has it; the cached one by default.
        license: of the weights, for the metadata of the files.
        batch: size b of the fixed batch dimension, that of the graph.

    Raises:
        ConfigError: a mode that needs calibration, without crops, or the environment of the lane cannot be made.
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
        graph = Path(onnx_path).resolve()
        shown = None if calibration is None else _quantization(graph, calibration, modes, config, batch)
        job = Job(graph, Path(folder), modes, shown, lane, environment, timeout_s, batch)
        content = {mode: separate_pads(landmarks_first(blob)) for mode, blob in convert(job).items()}
    for mode, blob in content.items():
        check_interface(blob, spec, f"{stem}_{mode}.tflite", batch)
        content[mode] = with_landmark_metadata(blob, spec, f"{stem}_{mode}", license, batch)
    paths = {mode: Path(out_dir) / f"{stem}_{mode}.tflite" for mode in modes}
    for mode, path in paths.items():
        write_bytes(path, content[mode])
        write_sidecar(path, spec, batch)
    return paths


def _quantization(
    onnx_path: Path, crops: NDArray[np.float32], modes: Sequence[str], config: QuantizeConfig | None, batch: int
) -> Quantization:
    """Show crops in batches, and keep in floats what is configured, by the names of modules."""

    def names(model: Model) -> dict[str, list[str]]:
        return float_names(model, onnx_path, crops[0], modes, config or QuantizeConfig())

    return Quantization(lambda: padded_batches(crops, batch), names)


def check_interface(blob: bytes, spec: ModelSpec, name: str, batch: int = 1) -> None:
    """Check that a TFLite file has one NHWC input, the landmarks and perhaps their confidence, all float32.

    Raises:
        ExportError: naming what it has instead.
    """
    graph, size = read_model(blob, name).main, spec.crop.size
    found = [(tensor.shape, tensor.dtype) for tensor in (*graph.inputs, *graph.outputs)]
    expected = [((batch, size, size, 3), "FLOAT32"), ((batch, spec.n_points, 2), "FLOAT32")]
    if found not in (expected, [*expected, ((batch, spec.n_points), "FLOAT32")]):
        raise ExportError(
            f"{name}: inputs and outputs are {found}, not {expected}; the conversion changed the interface"
        )
