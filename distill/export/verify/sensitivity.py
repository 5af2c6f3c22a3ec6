"""Sensitivity of layers to rounding: one module at a time is rounded in the ONNX graph, the rest stays exact.

The names of the ONNX graph state the torch module of each tensor, and a rounded module costs about as many pixels
there as in the TFLite file, without a conversion for each.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from distill.export.quantization_modes import Rounding
from distill.export.to_onnx import INPUT
from distill.inference.batches import padded_batches
from distill.opcheck.match_values import onnx_outputs
from distill.opcheck.module_map import module_of

# Nodes with weights: which axis of theirs is the output channels.
_CHANNELS = {"Conv": 0, "Gemm": 0, "ConvTranspose": 1, "MatMul": -1}


@dataclass(frozen=True)
class LayerCost:
    """How far the landmarks move when one module alone is rounded.

    Attributes:
        module: its path in the exported form of the network.
        mean_px: the average landmark, in pixels of the crop.
        max_px: the worst one.
    """

    module: str
    mean_px: float
    max_px: float


def sensitivity(
    onnx_path: Path,
    crops: NDArray[np.float32],
    rounding: Rounding,
    skip: Callable[[str], bool] = lambda module: False,
    progress: bool = False,
) -> list[LayerCost]:
    """Return the cost of rounding each module, the highest first.

    Args:
        onnx_path: a file of `export_onnx`.
        crops: (n, h, w, 3) float32 in [0, 1]; eight suffice.
        rounding: `half` and `weights` round the weights of layers to 16-bit floats or 8-bit integers, `all` also
            what each module returns; `none` costs nothing.
        skip: whether the module of a path stays in floats.
        progress: show a bar on standard error.
    """
    from rich.console import Console
    from rich.progress import track

    model = onnx.load(str(onnx_path))
    if rounding == "none":
        return []
    modules = {name: nodes for name, nodes in _modules(model).items() if name and not skip(name)}
    ranges = _ranges(model, crops) if rounding == "all" else {}
    exact, costs = _run(model, crops), []
    bar = track(modules.items(), "Rounding one module at a time", console=Console(stderr=True), disable=not progress)
    for name, outputs in bar:
        changed = _rounded(model, set(outputs), rounding, ranges)
        if changed is not None:
            distance = np.linalg.norm((_run(changed, crops) - exact) * crops.shape[2], axis=-1)
            costs.append(LayerCost(name, float(distance.mean()), float(distance.max())))
    return sorted(costs, key=lambda cost: -cost.mean_px)


def _modules(model: onnx.ModelProto) -> dict[str, list[str]]:
    """Return what each module computes, as names of tensors."""
    found = defaultdict(list)
    for node in model.graph.node:
        if node.op_type != "Constant":
            found[module_of(node.output[0])].append(node.output[0])
    return found


def _session(model: onnx.ModelProto) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    # No further: it would turn the rounding into other arithmetic.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _run(model: onnx.ModelProto, crops: NDArray[np.float32]) -> NDArray[np.float64]:
    session = _session(model)
    outputs = [session.run(None, {INPUT: batch})[0] for batch in padded_batches(crops, _batch(session))]
    return np.concatenate(outputs)[: len(crops)].astype(np.float64)


def _batch(session: Any) -> int:
    """Return the size of the fixed batch dimension of a session."""
    return int(session.get_inputs()[0].shape[0])


def _ranges(model: onnx.ModelProto, crops: NDArray[np.float32]) -> Mapping[str, tuple[float, float]]:
    """Return the smallest and largest value of every map; single numbers per channel stay in floats anyway."""
    names = [node.output[0] for node in model.graph.node if node.op_type != "Constant"]
    session = _session(onnx_outputs(copy.deepcopy(model), names))
    ranges: dict[str, tuple[float, float]] = {}
    size = _batch(session)
    for batch in padded_batches(crops, size):
        for name, values in zip(names, session.run(None, {INPUT: batch}), strict=True):
            shape = values.shape[1:] if values.shape[:1] == (size,) else values.shape
            if values.dtype == np.float32 and prod(shape) > max(shape, default=1):
                low, high = ranges.get(name, (0.0, 0.0))
                ranges[name] = min(low, float(values.min())), max(high, float(values.max()))
    return ranges


def _rounded(
    model: onnx.ModelProto, outputs: set[str], rounding: Rounding, ranges: Mapping[str, tuple[float, float]]
) -> onnx.ModelProto | None:
    """Return the model with one module rounded, None where there is nothing to round."""
    changed = copy.deepcopy(model)
    nodes = [node for node in changed.graph.node if node.output[0] in outputs]
    rounded = _round_weights(changed, nodes, rounding)
    if rounding == "all":
        rounded += _round_results(changed, nodes, ranges)
    return changed if rounded else None


def _round_weights(model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto], rounding: Rounding) -> int:
    """Round the weights of these nodes in place; return how many tensors that were."""
    constants, count = {entry.name: entry for entry in model.graph.initializer}, 0
    for node in nodes:
        if node.op_type not in _CHANNELS or node.input[1] not in constants:
            continue
        entry = constants[node.input[1]]
        values = numpy_helper.to_array(entry)
        if rounding == "half":
            rounded = values.astype(np.float16).astype(np.float32)
        else:
            rounded = _round_to_bytes(values, _CHANNELS[node.op_type] % values.ndim)
        entry.CopyFrom(numpy_helper.from_array(rounded, entry.name))
        count += 1
    return count


def _round_to_bytes(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    others = tuple(other for other in range(values.ndim) if other != axis)
    scale = np.abs(values).max(others, keepdims=True) / 127
    scale[scale == 0] = 1
    return (np.rint(values / scale) * scale).astype(np.float32)


def _round_results(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], ranges: Mapping[str, tuple[float, float]]
) -> int:
    """Round what these nodes return to 256 steps of its range; return how many tensors that were."""
    fixed, count = {value.name for value in model.graph.output}, 0
    order = list(model.graph.node)
    for node in nodes:
        name = node.output[0]
        low, high = ranges.get(name, (0.0, 0.0))
        if name in fixed or high <= low:
            continue
        scale = np.array((high - low) / 255, np.float32)
        zero = np.array(np.clip(np.rint(-low / scale), 0, 255), np.uint8)
        step = [numpy_helper.from_array(scale, f"{name}_step"), numpy_helper.from_array(zero, f"{name}_zero")]
        model.graph.initializer.extend(step)
        node.output[0] = f"{name}_exact"
        given = [f"{name}_step", f"{name}_zero"]
        pair = [
            onnx.helper.make_node("QuantizeLinear", [f"{name}_exact", *given], [f"{name}_bytes"]),
            onnx.helper.make_node("DequantizeLinear", [f"{name}_bytes", *given], [name]),
        ]
        position = next(index for index, other in enumerate(order) if other.output[0] == f"{name}_exact") + 1
        order[position:position] = pair
        count += 1
    if count:
        final = [copy.deepcopy(node) for node in order]
        del model.graph.node[:]
        model.graph.node.extend(final)
    return count
