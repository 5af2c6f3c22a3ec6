"""Match operators of a float TFLite file with nodes of its ONNX graph, by the values both compute for an image.

Converters drop names and change layouts, but on the same image the two graphs compute the same numbers, in whatever
order of axes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from distill.errors import ExportError
from distill.onnx_file import require_embedded
from distill.tflite.complexity import LAYERS
from distill.tflite.model import Model, Tensor
from distill.tflite.serialization import write_model

# Relative to the largest value; the two runtimes add in different orders.
_TOLERANCE = 1e-3
# Of the tensors; networks have constants in common whatever their weights are.
_MIN_SHARE = 0.5
# What a converter fuses into the operator before it.
_FUSED = ("Relu", "Clip")
_WEIGHTED = ("Conv", "Gemm", "ConvTranspose")


def match_values(model: Model, onnx_path: Path, image: NDArray[np.float32]) -> list[str | None]:
    """Return the name of the ONNX tensor with the values of each operator's result, None for those without one.

    Args:
        onnx_path: the graph the model was converted from, with one NHWC input.
        image: (h, w, 3) float32.

    Raises:
        CheckpointError: the graph names another file for its weights.
        ExportError: few tensors of the two agree, so that they are not the same network.
    """
    require_embedded(onnx_path)
    graph = onnx.load(str(onnx_path), load_external_data=False)
    found, wanted = _tflite_values(model, image), _onnx_values(graph, image)
    matched = _nearest(found, wanted)
    if len(matched) < _MIN_SHARE * len(found):
        raise ExportError(
            f"{model.name} shares {len(matched)} of {len(found)} tensors with {onnx_path.name}: different networks"
        )
    unfused = _unfused(graph)
    names = [matched.get(operator.outputs[-1]) if operator.outputs else None for operator in model.operators]
    return [
        unfused.get(name, name) if name is not None and operator.op in LAYERS else name
        for operator, name in zip(model.operators, names, strict=True)
    ]


def onnx_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return the model with these tensors as its only outputs."""
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    return model


def _unfused(model: onnx.ModelProto) -> dict[str, str]:
    """Return, for each result of an activation right after a node with weights, that node's result."""
    writes = {node.output[0]: node for node in model.graph.node}
    found = {}
    for name, node in writes.items():
        before = writes.get(node.input[0]) if node.op_type in _FUSED and node.input else None
        if before is not None and before.op_type in _WEIGHTED:
            found[name] = before.output[0]
    return found


def _onnx_values(model: onnx.ModelProto, image: NDArray[np.float32]) -> dict[str, NDArray]:
    import onnxruntime

    names = [name for node in model.graph.node if node.op_type != "Constant" for name in node.output]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    changed = onnx.ModelProto.FromString(model.SerializeToString())
    content = onnx_outputs(changed, names).SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    return dict(zip(names, session.run(None, {entry.name: _repeated(image, entry.shape)}), strict=True))


def _tflite_values(model: Model, image: NDArray[np.float32]) -> dict[Tensor, NDArray]:
    """Run a model without the delegate, which keeps what lies between its operators to itself."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=write_model(model),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    interpreter.set_tensor(entry["index"], _repeated(image, entry["shape"]))
    interpreter.invoke()
    tensors = model.main.all_tensors()  # numbered in this order
    written = {tensor for operator in model.main.operators for tensor in operator.outputs}
    return {tensor: interpreter.get_tensor(index) for index, tensor in enumerate(tensors) if tensor in written}


def _repeated(image: NDArray[np.float32], shape: Sequence[int]) -> NDArray[np.float32]:
    """Return an image as often as the batch dimension of an input has it, (b, h, w, 3)."""
    return np.repeat(image[None], int(shape[0]), axis=0)


def _nearest(found: Mapping[Tensor, NDArray], wanted: Mapping[str, NDArray]) -> dict[Tensor, str]:
    """Return, for each tensor of the first that has a match in the second, the earliest of its best matches."""
    by_size: dict[int, list[tuple[str, NDArray]]] = defaultdict(list)
    for name, values in wanted.items():
        if values.dtype == np.float32:
            by_size[values.size].append((name, np.sort(values, axis=None)))
    matched = {}
    for tensor, values in found.items():
        ordered = np.sort(np.asarray(values, np.float32), axis=None)
        scale = float(np.abs(ordered).max(initial=0)) or 1.0
        off = [(float(np.abs(ordered - other).max()) / scale, match) for match, other in by_size[ordered.size]]
        best = min((value for value, _ in off), default=np.inf)
        if best <= _TOLERANCE:
            matched[tensor] = next(match for value, match in off if value <= 2 * best + 1e-6)
    return matched
