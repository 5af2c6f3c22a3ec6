"""Split a heatmap model into two TFLite files: the network, and the decoding of heatmaps into points."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from distill.tflite.complexity import LAYERS
from distill.tflite.model import Model, Operator, SubGraph, Tensor
from distill.tflite.outputs import needed_operators
from distill.tflite.serialization import write_model

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Halves:
    """Two TFLite files, of which the second takes the heatmaps as input.

    Attributes:
        maps: shape of the heatmaps, (b, h, w, k) as a rule.
    """

    net: bytes
    decode: bytes
    maps: Shape


def split_decode(model: Model) -> Halves | None:
    """Split a model where its heatmaps are complete; None if it has no such tensor, as a regression of points.

    The split is at the earliest operator after which the output depends on one computed tensor only, if that tensor
    has an axis for the k points of the output (b, k, 2), several values for each, and no convolution and no dense layer
    with more than 3 values a point comes after it. A confidence beside the points is left out.
    """
    if len(model.main.inputs) != 1 or not model.main.outputs:
        return None
    landmarks = model.main.outputs[0]
    shape = landmarks.shape
    if len(shape) != 3 or shape[-1] != 2:
        return None
    graph = SubGraph(model.main.inputs, [landmarks], needed_operators(model.main.operators, [landmarks]))
    constants = _constants(graph)
    last = max(
        (index for index, node in enumerate(graph.operators) if _is_network(node, shape[0] * shape[1])), default=-1
    )
    for index in range(max(last, 0), len(graph.operators) - 1):
        alive = _alive_after(graph, index, constants)
        if len(alive) == 1 and _are_maps(next(iter(alive)).shape, shape[0], shape[1]):
            maps = alive.pop()
            net = _part(graph.operators[: index + 1], graph.inputs, maps)
            decode = _part(_needed(graph, index + 1, constants), [maps], graph.outputs[0])
            return Halves(net, decode, maps.shape)
    return None


def _constants(graph: SubGraph) -> set[Tensor]:
    """Return the tensors whose values do not depend on the input: stored, or computed from stored ones."""
    known = {tensor for tensor in graph.all_tensors() if tensor.buffer is not None}
    for node in graph.operators:
        if known.issuperset(node.present_inputs):
            known.update(node.outputs)
    return known


def _is_network(node: Operator, points: int) -> bool:
    """Whether an operator belongs before the heatmaps; `points` are those of all images of a batch."""
    if node.op == "FULLY_CONNECTED":
        return prod(node.outputs[0].shape) > 3 * points
    return node.op in LAYERS


def _are_maps(shape: Shape, batch: int, points: int) -> bool:
    return points in shape[1:] and prod(shape) // (batch * points) > 3


def _alive_after(graph: SubGraph, index: int, constants: set[Tensor]) -> set[Tensor]:
    """Return the tensors computed up to operator `index`, or given, that are still needed after it."""
    before, after = graph.operators[: index + 1], graph.operators[index + 1 :]
    computed = {tensor for node in before for tensor in node.outputs} | set(graph.inputs)
    used = {tensor for node in after for tensor in node.present_inputs} | set(graph.outputs)
    return (computed & used) - constants


def _needed(graph: SubGraph, start: int, constants: set[Tensor]) -> list[Operator]:
    """Return the operators from `start` on, and the earlier ones that compute constants for them."""
    kept = graph.operators[start:]
    wanted = {tensor for node in kept for tensor in node.present_inputs} & constants
    for node in reversed(graph.operators[:start]):
        if wanted.intersection(node.outputs):
            wanted.update(node.present_inputs)
            kept.insert(0, node)
    return kept


def _part(operators: Sequence[Operator], inputs: Sequence[Tensor], output: Tensor) -> bytes:
    """Return the file of some operators; weights that they do not use are left out."""
    return write_model(Model([SubGraph(list(inputs), [output], list(operators))]))
