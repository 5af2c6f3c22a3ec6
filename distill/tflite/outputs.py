"""Outputs of a TFLite file: choose and order them."""

from collections.abc import Sequence

from distill.tflite.metadata import NAME as METADATA
from distill.tflite.model import Model, Operator, Tensor
from distill.tflite.serialization import read_model, write_model

LANDMARK_AXES = 3


def landmarks_first(blob: bytes) -> bytes:
    """Return a file whose landmarks (1, k, 2) come before their confidence (1, k); converters order by name or not."""
    model = read_model(blob)
    outputs = model.main.outputs
    ordered = sorted(outputs, key=lambda tensor: len(tensor.shape) != LANDMARK_AXES)
    return blob if ordered == outputs else write_model(with_outputs(model, ordered))


def landmarks_only(blob: bytes, name: str = "model") -> bytes:
    """Return a file without the confidence of the landmarks and what only that needs; one without it as it is."""
    model = read_model(blob, name)
    kept = [tensor for tensor in model.main.outputs if len(tensor.shape) == LANDMARK_AXES]
    if len(kept) in (0, len(model.main.outputs)):
        return blob
    model.metadata.pop(METADATA, None)  # they describe the confidence as well
    return write_model(with_outputs(model, kept))


def with_outputs(model: Model, outputs: Sequence[Tensor]) -> Model:
    """Give the main graph of a model these outputs, in this order, and drop the operators that none of them needs."""
    graph = model.main
    graph.outputs = list(outputs)
    graph.operators = needed_operators(graph.operators, outputs)
    used = {tensor for node in graph.operators for tensor in (*node.tensors, *node.intermediates)}
    used.update(graph.inputs, outputs)
    graph.tensors = [tensor for tensor in graph.tensors if tensor in used]
    for signature in model.signatures:
        signature.outputs = {key: tensor for key, tensor in signature.outputs.items() if tensor in outputs}
    return model


def needed_operators(operators: Sequence[Operator], outputs: Sequence[Tensor]) -> list[Operator]:
    """Return the operators that these tensors depend on, in order."""
    wanted, kept = set(outputs), list[Operator]()
    for node in reversed(operators):
        if wanted.intersection(node.outputs):
            wanted.update(node.present_inputs)
            kept.append(node)
    return kept[::-1]
