"""Which torch module made an operator of a TFLite file.

PyTorch writes the module's path into the names of the ONNX graph (`/head/point/Conv`), onnx2tf keeps it in few tensor
names. So each operator is matched with a node of the ONNX graph, by one of two methods: the values that both compute
for an image (`match_values`, exact), or the order and sizes of all results (`match_order`, without running anything).
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.opcheck.match_order import match_order
from distill.tflite.model import Model

_OF_READER = re.compile(r"_input_nhwc(_padded)?$")


def module_map(
    model: Model, onnx_path: str | Path | None = None, image: NDArray[np.float32] | None = None
) -> list[str | None]:
    """Return the path of the torch module that made each operator; '' is the network itself.

    An operator without a match was added or fused by the converter. By values, it belongs to the module of the next
    operator that has one; by order, it lies `between A and B`. None where it is unknown.

    Args:
        onnx_path: the ONNX file that the TFLite file was made from; without it only tensor names are used.
        image: (h, w, 3) float32. With it, tensors of a float file are matched by their values; without, operators by
            their order and the sizes of their results.

    Raises:
        ExportError: few values of the two files agree, so that they are not the same network.
    """
    if onnx_path is not None and image is not None:
        from distill.opcheck.match_values import match_values

        return _with_next(_modules(match_values(model, Path(onnx_path), image)))
    scopes = [scope_of(node.outputs[0].name) if node.outputs else None for node in model.operators]
    if onnx_path is None:
        return scopes
    try:
        modules = _modules(match_order(model.operators, Path(onnx_path)))
    except (ValueError, RuntimeError):  # names are a help, not the result of the check
        return scopes
    return _with_neighbours([scope or module for scope, module in zip(scopes, modules, strict=True)])


def _modules(onnx_names: Sequence[str | None]) -> list[str | None]:
    return [None if name is None else module_of(name) for name in onnx_names]


def module_of(onnx_name: str) -> str:
    """`/net/backbone/stages_2/stages_2.1/attn/Softmax_output_0` -> `backbone.stages_2.1.attn`; empty for the top."""
    parts: list[str] = []
    for part in onnx_name.split("/")[1:-1]:
        # A list's element carries the list's name: `layers`, `layers.2`.
        if parts and part.startswith(parts[-1] + "."):
            parts.pop()
        parts.append(part)
    if parts[:1] == ["net"]:  # the wrapper that `export_onnx` puts around every network
        parts.pop(0)
    return ".".join(parts)


def scope_of(tensor_name: str) -> str | None:
    """Return the module in a tensor name of onnx2tf, which marks a path it kept by `wa/`, or None.

    A name like `wa/neck/Conv_input_nhwc` is of the operator that reads the tensor and does not name its own.
    """
    found = re.search(r"(?:^|/)wa(/[^;]+)", tensor_name)
    return module_of(found[1]) if found and not _OF_READER.search(found[1]) else None


def _with_next(modules: Sequence[str | None]) -> list[str | None]:
    filled: list[str | None] = []
    for module in reversed(modules):
        filled.append(filled[-1] if module is None and filled else module)
    return filled[::-1]


def _with_neighbours(modules: Sequence[str | None]) -> list[str | None]:
    return [module if module is not None else _between(modules, index) for index, module in enumerate(modules)]


def _between(modules: Sequence[str | None], index: int) -> str | None:
    before = next((module for module in modules[index::-1] if module is not None), None)
    after = next((module for module in modules[index:] if module is not None), None)
    if before is None or after is None or before == after:
        return before if after is None else after
    return f"between {before or 'the input'} and {after or 'the output'}"
