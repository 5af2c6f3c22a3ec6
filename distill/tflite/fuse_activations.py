"""Fusion of ReLU into the layer before it, as TensorFlow's converter does it and onnx2tf without TensorFlow does not.

It saves an operator, and in 8 bits the range of the layer holds no negative numbers, which would take half of it.
"""

from distill.tflite.model import Operator, SubGraph, Tensor
from distill.tflite.serialization import read_model, write_model

_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# Operators between a layer and its activation that only rename its values.
_VIEWS = ("RESHAPE",)
_ACTIVATION, _RELU = "fused_activation_function", 1


def fuse_relu(blob: bytes) -> bytes:
    """Return a float file in which layers apply the ReLU that was an operator of its own after them."""
    model = read_model(blob)
    for graph in model.subgraphs:
        _fuse(graph)
    return write_model(model)


def _fuse(graph: SubGraph) -> None:
    writers = {tensor: operator for operator in graph.operators for tensor in operator.outputs}
    readers: dict[Tensor, int] = {}
    for operator in graph.operators:
        for tensor in operator.present_inputs:
            readers[tensor] = readers.get(tensor, 0) + 1
    replaced: dict[Tensor, Tensor] = {}
    for operator in [operator for operator in graph.operators if operator.op == "RELU"]:
        source = operator.inputs[0]
        assert source is not None
        layer = _layer_of(source, writers, readers, graph.outputs)
        if layer is None or layer.options is None or operator.outputs[0] in graph.outputs:
            continue
        layer.options.fields[_ACTIVATION] = _RELU
        replaced[operator.outputs[0]] = source
        graph.operators.remove(operator)
    for operator in graph.operators:
        operator.inputs = [replaced.get(tensor, tensor) if tensor else None for tensor in operator.inputs]
    graph.tensors = [tensor for tensor in graph.tensors if tensor not in replaced]


def _layer_of(
    tensor: Tensor, writers: dict[Tensor, Operator], readers: dict[Tensor, int], outputs: list[Tensor]
) -> Operator | None:
    """Return the layer without an activation whose values a tensor holds and nothing else reads."""
    while readers.get(tensor, 0) == 1 and tensor not in outputs and tensor in writers:
        operator = writers[tensor]
        if operator.op in _LAYERS:
            fused = operator.options is not None and operator.options.fields.get(_ACTIVATION, 0)
            return None if fused else operator
        if operator.op not in _VIEWS or operator.inputs[0] is None:
            return None
        tensor = operator.inputs[0]
    return None
