"""Models of any kind loaded and fed with random numbers, ready to be run again and again.

Beside `inference.backend.Backend` because a backend needs a spec and feeds an image per call: `bench` also times files
of other makers, of any number, type and layout of inputs, and the runtime alone, with inputs that are set once.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import CheckpointError, first_line
from distill.inference.onnx_session import open_session
from distill.tflite.interpreter import interpreter_class

_ONNX_TYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(int32)": np.int32, "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}  # fmt: skip


def random_values(shape: tuple[int, ...], dtype: Any, name: str) -> NDArray[Any]:
    """Return an array of `shape` as an input: floats in [0, 1), all values of 8-bit integers, zeros otherwise.

    Zeros because wider integers may be indices, where any other number can lead out of a table.

    Raises:
        CheckpointError: a type no image comes in, such as text.
    """
    rng, kind = np.random.default_rng(0), np.dtype(dtype)
    if kind.kind == "f":
        return rng.random(shape).astype(kind)
    if kind in (np.uint8, np.int8):
        return rng.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, shape).astype(kind)
    if kind.kind in "iub":
        return np.zeros(shape, kind)
    raise CheckpointError(f"{name}: takes an input of type {kind}; only numbers can be fed for timing")


def load_tflite(model: str | Path | bytes, threads: int) -> Any:
    """Return the runtime's own interpreter with all inputs set.

    Raises:
        CheckpointError: a file this runtime cannot load or feed.
        ConfigError: no TFLite runtime is installed.
    """
    name = "this part of the model" if isinstance(model, bytes) else str(model)
    source = {"model_content": model} if isinstance(model, bytes) else {"model_path": name}
    try:
        interpreter = interpreter_class()(**source, num_threads=threads)
        interpreter.allocate_tensors()
        for entry in interpreter.get_input_details():
            shape = tuple(int(size) for size in entry["shape"])
            interpreter.set_tensor(entry["index"], random_values(shape, entry["dtype"], name))
        interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        reason = first_line(error)
        raise CheckpointError(f"{name}: this TFLite runtime cannot run it ({reason})") from error
    return interpreter


def load_onnx(path: str | Path, threads: int) -> tuple[Any, Any]:
    """Return a session of ONNX Runtime and a binding of random inputs to it.

    Raises:
        CheckpointError: a file ONNX Runtime cannot load or feed.
        ConfigError: ONNX Runtime is not installed.
    """
    session = open_session(path, threads, stop_spinning=True)
    binding = bind_inputs(session, path)
    try:
        session.run_with_iobinding(binding)
    except Exception as error:  # its errors share no base class but Exception
        reason = first_line(error)
        raise CheckpointError(f"{path}: ONNX Runtime cannot run it ({reason})") from error
    return session, binding


def bind_inputs(session: Any, path: str | Path, device: str = "cpu") -> Any:
    """Return a binding of random inputs to a session of ONNX Runtime, with all outputs on the same device.

    Raises:
        CheckpointError: an input that cannot be fed.
    """
    binding = session.io_binding()
    for entry in session.get_inputs():
        values = random_values(_fixed(entry.shape), _onnx_type(entry, path), str(path))
        if device == "cpu":
            binding.bind_cpu_input(entry.name, values)
        else:
            import onnxruntime

            binding.bind_ortvalue_input(entry.name, onnxruntime.OrtValue.ortvalue_from_numpy(values, device, 0))
    for entry in session.get_outputs():
        binding.bind_output(entry.name, device)
    return binding


def tflite_outputs(path: str | Path) -> list[NDArray[Any]]:
    """Return the outputs of a TFLite file for its random inputs, in the order of the file."""
    interpreter = load_tflite(path, 1)
    return [interpreter.get_tensor(entry["index"]) for entry in interpreter.get_output_details()]


def onnx_outputs(path: str | Path) -> list[NDArray[Any]]:
    """Return the outputs of an ONNX file for its random inputs, in the order of the file."""
    outputs: list[NDArray[Any]] = load_onnx(path, 1)[1].copy_outputs_to_cpu()
    return outputs


def _fixed(shape: list[int | str | None]) -> tuple[int, ...]:
    """Return a shape with every open size (a batch, as a rule) set to 1."""
    return tuple(size if isinstance(size, int) and size > 0 else 1 for size in shape)


def _onnx_type(entry: Any, path: str | Path) -> Any:
    if entry.type not in _ONNX_TYPES:
        raise CheckpointError(f"{path}: takes an input of type {entry.type}; only numbers can be fed for timing")
    return _ONNX_TYPES[entry.type]
