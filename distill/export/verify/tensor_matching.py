"""Which module of the network made an operator of a TFLite file?

The converters forget names, so tensors are recognised by their values: an ONNX graph still says which module each of
its tensors comes from, and on the same crop the two graphs compute the same numbers, in whatever order of axes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from distill.errors import ExportError
from distill.export.to_onnx import INPUT
from distill.opcheck.module_map import module_of
from distill.tflite.model import Model
from distill.tflite.serialization import read_model

# Relative to the largest value; the two runtimes add in different orders.
_ALIKE = 1e-3
# Of the tensors; networks have constants in common whatever their weights are.
_SHARE = 0.5
# What a converter fuses into the operator before it.
_FUSED = ("Relu", "Clip")


@dataclass(frozen=True)
class Node:
    """An operator of a TFLite file and where it comes from.

    Attributes:
        op: TFLite's name of it.
        tensor: name of the tensor it writes.
        shape: of that tensor.
        module: path of the torch module in the exported form, '' for the network itself, None where nothing tells.
        reads: indices of the nodes whose results it reads.
        weighted: whether it has weights: a convolution or a dense layer.
    """

    op: str
    tensor: str
    shape: tuple[int, ...]
    module: str | None
    reads: tuple[int, ...]
    weighted: bool


_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def trace(onnx_path: Path, tflite: Path, crop: NDArray[np.float32]) -> list[Node]:
    """Return the operators of a float TFLite file in order, each with the module it comes from.

    Args:
        onnx_path: the graph it was converted from, with one NHWC input.
        crop: (h, w, 3) float32; any face.

    Raises:
        ExportError: few tensors of the two agree, so that they are not the same network.
    """
    graph = read_model(tflite)
    wanted, found = _onnx_values(onnx_path, crop), _tflite_values(tflite, crop)
    producers = {operator.tensors[-1].name: index for index, operator in enumerate(graph.operators)}
    matched = _match(found, wanted)
    if len(matched) < _SHARE * len(found):
        raise ExportError(
            f"{tflite.name} shares {len(matched)} of {len(found)} tensors with {onnx_path.name}: different networks"
        )
    modules = _modules(graph, matched, conv_of(onnx_path))
    nodes = []
    for operator, module in zip(graph.operators, modules, strict=True):
        reads = tuple(producers[tensor.name] for tensor in operator.tensors[:-1] if tensor.name in producers)
        result = operator.tensors[-1]
        nodes.append(Node(operator.op, result.name, result.shape, module, reads, operator.op in _WEIGHTED))
    return nodes


def conv_of(path: Path) -> dict[str, str]:
    """Return, for each result of an activation right after a weighted node, that node's result."""
    writes = {node.output[0]: node for node in onnx.load(str(path)).graph.node}
    found = {}
    for name, node in writes.items():
        before = writes.get(node.input[0]) if node.op_type in _FUSED and node.input else None
        if before is not None and before.op_type in ("Conv", "Gemm", "ConvTranspose"):
            found[name] = before.output[0]
    return found


def onnx_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return the model with these tensors as its only outputs."""
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    return model


def _onnx_values(path: Path, crop: NDArray[np.float32]) -> dict[str, NDArray]:
    import onnxruntime

    model = onnx.load(str(path))
    names = [name for node in model.graph.node if node.op_type != "Constant" for name in node.output]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    content = onnx_outputs(model, names).SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(None, {INPUT: crop[None]}), strict=True))


def _tflite_values(path: Path, crop: NDArray[np.float32]) -> dict[str, NDArray]:
    """Run our own float file without the delegate, which keeps what lies between its operators to itself."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], crop[None])
    interpreter.invoke()
    written = {index for details in interpreter._get_ops_details() for index in details["outputs"]}
    details = {detail["index"]: detail["name"] for detail in interpreter.get_tensor_details()}
    return {details[index]: interpreter.get_tensor(index) for index in written}


def _match(found: Mapping[str, NDArray], wanted: Mapping[str, NDArray]) -> dict[str, str]:
    """Return, for each tensor of the first that has a match in the second, the earliest of its best matches."""
    by_size: dict[int, list[tuple[str, NDArray]]] = defaultdict(list)
    for name, values in wanted.items():
        if values.dtype == np.float32:
            by_size[values.size].append((name, np.sort(values, axis=None)))
    matched = {}
    for name, values in found.items():
        ordered = np.sort(np.asarray(values, np.float32), axis=None)
        scale = float(np.abs(ordered).max(initial=0)) or 1.0
        off = [(float(np.abs(ordered - other).max()) / scale, match) for match, other in by_size[ordered.size]]
        best = min((value for value, _ in off), default=np.inf)
        if best <= _ALIKE:
            matched[name] = next(match for value, match in off if value <= 2 * best + 1e-6)
    return matched


def _modules(graph: Model, matched: Mapping[str, str], convs: Mapping[str, str]) -> list[str | None]:
    """Return the module of each operator; one without a match belongs where the next operator with one does."""
    modules: list[str | None] = []
    for operator in graph.operators:
        match = matched.get(operator.tensors[-1].name)
        if match is not None and operator.op in _WEIGHTED:
            match = convs.get(match, match)
        modules.append(None if match is None else module_of(match))
    following: str | None = None
    for index in range(len(modules) - 1, -1, -1):
        following = modules[index] if modules[index] is not None else following
        modules[index] = following
    return modules
