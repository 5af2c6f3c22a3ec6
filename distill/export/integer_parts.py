"""The int8 file as two files for DSPs, NPUs and Edge TPUs: integers in and out, and the decoder in floats."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import ExportError
from distill.files import sha256
from distill.inference.batches import padded_batches
from distill.tflite.integrity import read_verified
from distill.tflite.interpreter import interpreter_class
from distill.tflite.serialization import read_model
from distill.tflite.split_integers import IntegerParts, split_integers

MODE = "int8"
BODY, DECODER = "int8_body", "int8_decoder"


def write_integer_parts(file: Path, stem: str, crops: NDArray[np.float32]) -> tuple[dict[str, Path], dict[str, Any]]:
    """Write the two parts beside an int8 file, and return their paths and what `export.json` says of them.

    The gates of the whole file hold for them, because their outputs are compared with its own bit by bit.

    Args:
        file: of mode `int8`.
        stem: the files are named STEM_int8_body.tflite and STEM_int8_decoder.tflite.
        crops: (n, size, size, 3) float32 in [0, 1] to compare on.

    Raises:
        ExportError: floats stand between integer layers, or the parts return something else than the whole.
    """
    whole = read_verified(file)
    model = read_model(whole, file.name)
    batch = model.main.inputs[0].shape[0]  # before the split, which changes the model
    parts = split_integers(model)
    _require_same(whole, parts, crops, batch)
    paths = {BODY: file.with_name(f"{stem}_{BODY}.tflite"), DECODER: file.with_name(f"{stem}_{DECODER}.tflite")}
    paths[BODY].write_bytes(parts.body)
    paths[DECODER].write_bytes(parts.decoder)
    return paths, {"image": {"scale": parts.scale, "zero_point": parts.zero_point}, "files": _statement(paths)}


def _statement(paths: Mapping[str, Path]) -> dict[str, Any]:
    return {
        name: {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)} for name, path in paths.items()
    }


def quantize_image(crops: NDArray[np.float32], parts: IntegerParts) -> NDArray[np.int8]:
    """Return crops as the integers that the body takes."""
    return np.clip(np.round(crops / parts.scale) + parts.zero_point, -128, 127).astype(np.int8)


def _require_same(whole: bytes, parts: IntegerParts, crops: NDArray[np.float32], batch: int) -> None:
    run, body, decoder = _runner(whole), _runner(parts.body), _runner(parts.decoder)
    for integers in padded_batches(quantize_image(crops, parts), batch):
        # Floats that the integers stand for exactly: how halves are rounded differs between runtimes.
        image = (integers.astype(np.float32) - parts.zero_point) * np.float32(parts.scale)
        pairs = zip(run(image), decoder(*body(integers)), strict=True)
        if not all(np.array_equal(expected, found) for expected, found in pairs):
            raise ExportError("the int8 file in two parts returns other landmarks than the whole; nothing was written")


def _runner(blob: bytes) -> Any:
    """Return a call that runs a file on its inputs, in order, and returns its outputs."""
    interpreter = interpreter_class()(model_content=blob, num_threads=1)
    interpreter.allocate_tensors()
    entries = [detail["index"] for detail in interpreter.get_input_details()]
    results = [detail["index"] for detail in interpreter.get_output_details()]

    def call(*inputs: NDArray[Any]) -> list[NDArray[Any]]:
        for entry, values in zip(entries, inputs, strict=True):
            interpreter.set_tensor(entry, values)
        interpreter.invoke()
        return [interpreter.get_tensor(result).copy() for result in results]

    return call
