"""Fold adjacent linear 1x1 convolutions into one, exactly; no converter does it.

An inverted residual ends in a linear 1x1 convolution and so does a MobileViT block; where such a map goes only into
other 1x1 convolutions (the next block's expansion, a pyramid's lateral), W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)
is computed directly, without the map in between. Only the rounding changes.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def compose(model: onnx.ModelProto) -> onnx.ModelProto:
    """Join every linear 1x1 convolution with the 1x1 convolutions that alone read it, where that multiplies less.

    Args:
        model: with constants folded and batch norms absorbed, as `simplify` leaves it; it is changed and returned.
    """
    while _compose_one(model.graph):
        pass
    used = {name for node in model.graph.node for name in node.input}
    for constant in [entry for entry in model.graph.initializer if entry.name not in used]:
        model.graph.initializer.remove(constant)
    return model


def _compose_one(graph: onnx.GraphProto) -> bool:
    """Join the first producer for which it saves work; return whether there was one."""
    constants = {entry.name: entry for entry in graph.initializer}
    outputs = {value.name for value in graph.output}
    for producer in graph.node:
        made = producer.output[0]
        if made in outputs or not _pointwise(producer, constants):
            continue
        readers = [node for node in graph.node if made in node.input]
        if not readers or not all(_pointwise(node, constants) for node in readers):
            continue
        first = _weights(producer, constants)[0]
        second = [_weights(reader, constants)[0] for reader in readers]
        inner, middle = first.shape[1], first.shape[0]
        apart = inner * middle + sum(middle * len(weight) for weight in second)
        if any(made in reader.input[1:] for reader in readers) or sum(inner * len(w) for w in second) >= apart:
            continue
        for reader in readers:
            _join(graph, producer, reader, constants)
        graph.node.remove(producer)
        return True
    return False


def _pointwise(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    """Whether a node is a 1x1 convolution of all channels, of stride 1, with constant weights."""
    if node.op_type != "Conv" or any(name not in constants for name in node.input[1:]):
        return False
    attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    weight = constants[node.input[1]]
    plain = attributes.get("group", 1) == 1 and not any(attributes.get("pads", ()))
    return plain and set(attributes.get("strides", (1,))) == {1} and set(weight.dims[2:]) == {1}


def _weights(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> tuple[NDArray, NDArray]:
    """Return (out, in) weights and (out,) bias in double precision, so that joining adds no rounding of its own."""
    weight = numpy_helper.to_array(constants[node.input[1]]).astype(np.float64)[:, :, 0, 0]
    bias = numpy_helper.to_array(constants[node.input[2]]) if len(node.input) > 2 else np.zeros(len(weight))
    return weight, bias.astype(np.float64)


def _join(
    graph: onnx.GraphProto, producer: onnx.NodeProto, reader: onnx.NodeProto, constants: dict[str, onnx.TensorProto]
) -> None:
    (first, shift), (second, bias) = _weights(producer, constants), _weights(reader, constants)
    name = f"{reader.output[0]}_composed"
    weight = (second @ first).astype(np.float32)[:, :, None, None]
    graph.initializer.append(numpy_helper.from_array(weight, f"{name}_weight"))
    graph.initializer.append(numpy_helper.from_array((second @ shift + bias).astype(np.float32), f"{name}_bias"))
    reader.input[:] = [producer.input[0], f"{name}_weight", f"{name}_bias"]
