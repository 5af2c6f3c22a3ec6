"""Ranges of activations of a float TFLite file, measured in the runtime, for a quantizer to take.

TensorFlow's own calibration is wrong where an operator writes its result into the memory of its input, as ADD, SUB and
RELU do since 2.13: it reads the input again afterwards and takes the range of the result for it as well, which is up
to four times as wide. Here every tensor keeps memory of its own.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import ExportError
from distill.tflite.interpreter import interpreter_class
from distill.tflite.serialization import read_model, write_model

Ranges = Mapping[str, tuple[float, float]]


def activation_ranges(path: str | Path, inputs: Iterable[NDArray[np.float32]]) -> Ranges:
    """Return the least and greatest value of every float tensor over some inputs, by the name of the tensor.

    Args:
        path: float file with one input.
        inputs: each (1, h, w, 3); sizes may differ where the graph holds no constant ones.
    """
    interpreter = _interpreter(path)
    entry = interpreter.get_input_details()[0]
    shape, ranges = tuple(entry["shape"]), dict[str, tuple[float, float]]()
    interpreter.allocate_tensors()
    for values in inputs:
        if values.shape != shape:
            shape = values.shape
            interpreter.resize_tensor_input(entry["index"], list(shape))
            interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], values)
        interpreter.invoke()
        for name, computed in _computed(interpreter):
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = min(low, float(computed.min())), max(high, float(computed.max()))
    return ranges


def _interpreter(path: str | Path) -> Any:
    """Return an interpreter that keeps all tensors; delegates would hide those inside of them."""
    made = interpreter_class()
    resolver = sys.modules[made.__module__].OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return made(
        model_path=str(path),
        num_threads=1,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=resolver,
    )


def _computed(interpreter: Any) -> Iterable[tuple[str, NDArray[np.float32]]]:
    for detail in interpreter.get_tensor_details():
        if detail["dtype"] is np.float32:
            try:
                yield detail["name"], interpreter.get_tensor(detail["index"])
            except ValueError:  # scratch memory of an operator
                continue


def with_ranges(blob: bytes, ranges: Ranges) -> bytes:
    """Return a calibrated float file, which notes a range for every activation, with other ranges.

    Raises:
        ExportError: an activation without a range.
    """
    model = read_model(blob)
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.all_tensors()):
        found = tensor.quantization
        if tensor.dtype != "FLOAT32" or tensor.buffer is not None or found is None or "min" not in found.extra:
            continue
        if tensor.name not in ranges:
            raise ExportError(f"no range was measured for the activation {tensor.name}; try --lane modern")
        low, high = ranges[tensor.name]
        found.extra |= {"min": (low,), "max": (high,)}
    return write_model(model)
