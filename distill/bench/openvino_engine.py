"""Models in OpenVINO on the CPU: it reads `.tflite` and `.onnx` files without a conversion."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from distill.bench.latency import Loaded
from distill.bench.runners import random_values
from distill.errors import CheckpointError, ConfigError
from distill.tflite.scalar_axes import scalar_axes

SUFFIXES = (".tflite", ".onnx")


def openvino() -> Any:
    """Import OpenVINO.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise ConfigError("--target openvino: OpenVINO is not installed; run `pip install openvino`") from error
    return openvino


def openvino_name() -> str:
    """Return the engine as tables show it, `OpenVINO 2026.4.1`."""
    return "OpenVINO " + str(openvino().__version__).partition("-")[0]


def load_openvino(path: str | Path, threads: int = 1) -> Loaded:
    """Compile a file for the CPU, in 32-bit floats where it has floats, and run it once on random inputs.

    The settings are those of one request at a time on `threads` threads. Without the hint OpenVINO computes in bfloat16
    on processors that have it, and its threads would be tied to cores that other rows of a run also use.

    A file may crash the process: `distill.bench.memory.try_openvino` tries it in another one.

    Raises:
        CheckpointError: a file OpenVINO cannot read, compile or run.
        ConfigError: OpenVINO is not installed.
    """
    core = openvino().Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False,
    }  # fmt: skip
    try:
        model = _read(core, Path(path))
        if model.is_dynamic():
            model.reshape({port: _fixed(port.partial_shape) for port in model.inputs})
        compiled = core.compile_model(model, "CPU", settings)
        request = compiled.create_infer_request()
        for index, port in enumerate(compiled.inputs):
            values = random_values(tuple(port.shape), port.element_type.to_dtype(), str(path))
            request.set_input_tensor(index, openvino().Tensor(values))
        request.infer()
        outputs = [np.array(request.get_output_tensor(index).data) for index in range(len(compiled.outputs))]
    except CheckpointError:
        raise
    except Exception as error:  # its errors share no base class but Exception
        raise CheckpointError(f"{path}: OpenVINO cannot run it ({_reason(error)})") from error
    return Loaded(request.infer, outputs)


def _read(core: Any, path: Path) -> Any:
    """Read a model; of a TFLite file a copy in which the axis of every SPLIT is a scalar: vectors are refused."""
    if path.suffix != ".tflite":
        return core.read_model(str(path))
    with tempfile.TemporaryDirectory(prefix="openvino-") as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(scalar_axes(path.read_bytes()))
        return core.read_model(str(copy))


def _fixed(shape: Any) -> list[int]:
    """Return a shape with every open size (a batch, as a rule) set to 1."""
    return [size.get_length() if size.is_static else 1 for size in shape]


def _reason(error: Exception) -> str:
    """Return the cause of an error of OpenVINO, which begins with the places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Exception from", "Check '", "While validating"))]
    return (told or lines or [repr(error)])[-1][:200]
