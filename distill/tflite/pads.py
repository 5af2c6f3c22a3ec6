"""Duplicate shared PAD operators of a TFLite file, so that each convolution that pads its input has a PAD of its own.

XNNPACK folds a PAD into the convolution behind it when nothing else reads the padded tensor; a shared PAD is computed
and written to memory instead. Converters merge equal PADs, as common subexpressions.
"""

from dataclasses import replace

from distill.tflite.model import Operator, SubGraph, Tensor
from distill.tflite.serialization import read_model, write_model

PADS = ("PAD", "PADV2")
# What XNNPACK folds a PAD into.
_FOLDS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def separate_pads(blob: bytes) -> bytes:
    """Return a file with one PAD for each convolution that reads it; the same bytes where no PAD is shared.

    The outputs stay bit-identical, because a copy has the inputs and the options of the original. A PAD whose tensor is
    an output of the graph, or is read by any operator that is no convolution, has to be computed anyway and is kept.
    """
    model = read_model(blob)
    changed = [_separate(graph) for graph in model.subgraphs]
    return write_model(model) if any(changed) else blob


def shared_pads(graph: SubGraph) -> list[Operator]:
    """Return the PAD operators whose tensor two or more operators read, all of them convolutions."""
    readers = _readers(graph)
    shared = []
    for node in graph.operators:
        reading = readers.get(node.outputs[0], []) if node.op in PADS else []
        folds = all(reader.op in _FOLDS and reader.inputs[0] is node.outputs[0] for reader in reading)
        if len(reading) > 1 and folds and node.outputs[0] not in graph.outputs:
            shared.append(node)
    return shared


def _readers(graph: SubGraph) -> dict[Tensor, list[Operator]]:
    readers: dict[Tensor, list[Operator]] = {}
    for node in graph.operators:
        for tensor in node.present_inputs:
            readers.setdefault(tensor, []).append(node)
    return readers


def _separate(graph: SubGraph) -> bool:
    """Give every reader of a shared PAD but the first a copy, directly in front of it; return whether there was one."""
    shared = shared_pads(graph)
    readers = _readers(graph)
    for pad in shared:
        for number, reader in enumerate(readers[pad.outputs[0]][1:], 1):
            padded = replace(pad.outputs[0], name=f"{pad.outputs[0].name}_{number}")
            reader.inputs = [padded, *reader.inputs[1:]]
            graph.operators.insert(graph.operators.index(reader), replace(pad, outputs=[padded]))
    return bool(shared)
