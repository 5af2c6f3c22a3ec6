"""Split an integer TFLite file into a body with integers in and out, and the decoder in floats behind it.

DSPs, NPUs and Edge TPUs run integers only. The two files together compute what the whole file does, bit for bit: only
the conversion of the image to integers is left to the caller.
"""

from dataclasses import dataclass

from distill.errors import ExportError
from distill.tflite.model import Model, Operator, SubGraph, Tensor
from distill.tflite.outputs import needed_operators
from distill.tflite.serialization import write_model

_INTEGERS = ("INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL")


@dataclass(frozen=True)
class IntegerParts:
    """Two TFLite files.

    Attributes:
        body: takes the image as integers, `round(value / scale) + zero_point`, and returns integers.
        decoder: takes the outputs of the body in the same order, and returns what the whole file returns.
        scale, zero_point: of the image.
    """

    body: bytes
    decoder: bytes
    scale: float
    zero_point: int


def split_integers(model: Model) -> IntegerParts:
    """Split an integer file where its floats begin.

    Raises:
        ExportError: the file does not compute in integers from its input on, or floats stand between integers.
    """
    graph = model.main
    first = _quantized_input(graph)
    bridges = [
        node for node in graph.operators if node.op == "DEQUANTIZE" and node.inputs[0] and node.inputs[0].buffer is None
    ]
    ends = list(dict.fromkeys(node.inputs[0] for node in bridges if node.inputs[0]))
    ends += [tensor for tensor in graph.outputs if tensor.dtype in _INTEGERS and tensor not in ends]
    body = [node for node in needed_operators(graph.operators, ends) if first not in node.outputs]
    _require_integers(body)
    image = first.quantization
    if not ends or image is None or len(image.scale) != 1:
        raise ExportError("the file has no integer layers with one scale for the image; give one of mode int8")
    inside = set(body)
    after = [node for node in needed_operators(graph.operators, graph.outputs) if node not in inside]
    decoder = [node for node in after if first not in node.outputs]
    return IntegerParts(
        write_model(Model([SubGraph([first], ends, body)])),
        write_model(Model([SubGraph(ends, list(graph.outputs), decoder)])),
        image.scale[0],
        image.zero_point[0],
    )


def _quantized_input(graph: SubGraph) -> Tensor:
    """Return the image as integers."""
    (image,) = graph.inputs
    readers = [node for node in graph.operators if image in node.present_inputs]
    if len(readers) != 1 or readers[0].op != "QUANTIZE":
        found = ", ".join(sorted({node.op for node in readers})) or "no operator"
        raise ExportError(f"the image is read by {found}, not turned into integers; give a file of mode int8")
    return readers[0].outputs[0]


def _require_integers(operators: list[Operator]) -> None:
    floats = sorted({node.op for node in operators for tensor in node.outputs if tensor.dtype not in _INTEGERS})
    if floats:
        raise ExportError(
            f"{', '.join(floats)} compute in floats between integer layers, which a DSP or NPU cannot; "
            "--quantize.float_ops and --quantize.float_modules choose them"
        )
