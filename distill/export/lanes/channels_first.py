"""The ONNX graph as onnx2tf takes it: pixels with the channels first."""

import onnx

from distill.errors import ExportError
from distill.export.to_onnx import INPUT


def channels_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the transpose an NHWC input starts with.

    onnx2tf takes every 4-D input for NCHW and converts the whole graph to NHWC itself, so the TFLite file gets NHWC
    pixels and no transpose.
    """
    graph = model.graph
    readers = [node for node in graph.node if INPUT in node.input]
    if len(readers) != 1 or readers[0].op_type != "Transpose":
        raise ExportError(
            f"the ONNX graph does not start with one transpose of '{INPUT}'; export it with `export_onnx`"
        )
    renamed = readers[0].output[0]
    for node in graph.node:
        node.input[:] = [INPUT if name == renamed else name for name in node.input]
    graph.node.remove(readers[0])
    dims = graph.input[0].type.tensor_type.shape.dim
    sizes = [dims[axis].dim_value for axis in (0, 3, 1, 2)]
    for dim, size in zip(dims, sizes, strict=True):
        dim.dim_value = size
    return model
