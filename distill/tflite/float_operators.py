"""Mixed precision: operators of an integer TFLite file that compute in floats."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from distill.tflite.model import Model, Operator, Tensor
from distill.tflite.serialization import read_model, write_model
from distill.tflite.weight_quantization import float_copy

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


def dequantize_operators(blob: bytes, names: Iterable[str]) -> bytes:
    """Return an integer file in which the operators that write one of these tensors compute in floats.

    Their constants are unpacked, and a DEQUANTIZE or QUANTIZE stands wherever floats and integers meet.
    """
    model = read_model(blob)
    _Dequantization(model, set(names)).apply()
    return write_model(model)


class _Dequantization:
    """The change of one model's graph.

    Attributes:
        chosen: operators that are to compute in floats.
        floats: integer tensor -> its float copy, of those made so far.
        readers: tensor -> operators that read it in the original graph.
        versions: of QUANTIZE and DEQUANTIZE in this file.
    """

    def __init__(self, model: Model, names: set[str]) -> None:
        self.model = model
        (self.graph,) = model.subgraphs
        # TensorFlow calls the integers behind a float output by its name and their type.
        names = names | {f"{name}_int16" for name in names}
        self.chosen = {
            node for node in self.graph.operators if node.outputs[0].name in names and node.op not in _CONVERSIONS
        }
        self.floats: dict[Tensor, Tensor] = {}
        self.readers: dict[Tensor, list[Operator]] = defaultdict(list)
        for node in self.graph.operators:
            for tensor in node.present_inputs:
                self.readers[tensor].append(node)
        found = {node.op: node.version for node in self.graph.operators}
        self.versions = {op: found.get(op, 1) for op in _CONVERSIONS}

    def apply(self) -> None:
        nodes: list[Operator] = []
        for node in self.graph.operators:
            source, result = node.inputs[0], node.outputs[0]
            if node.op == "DEQUANTIZE" and source in self.floats:
                self._replace(result, self.floats[source])
            elif node.op == "QUANTIZE" and source in self.floats:
                # From one integer scale to another, which changes nothing in floats.
                self.floats[result] = self.floats[source]
                nodes += [node] if self._is_read_as_integers(result) else []
            elif node in self.chosen:
                node.inputs = [self._as_float(tensor, nodes) if tensor else None for tensor in node.inputs]
                nodes.append(node)
                nodes += self._with_float_result(node)
            else:
                nodes.append(node)
        self.graph.operators = nodes

    def _replace(self, old: Tensor, new: Tensor) -> None:
        """Let everything that refers to one float tensor refer to another."""
        for node in self.readers[old]:
            node.inputs = [new if tensor is old else tensor for tensor in node.inputs]
        self.graph.outputs = [new if tensor is old else tensor for tensor in self.graph.outputs]
        for signature in self.model.signatures:
            signature.outputs = {key: new if value is old else value for key, value in signature.outputs.items()}
        new.name = old.name

    def _as_float(self, tensor: Tensor, nodes: list[Operator]) -> Tensor:
        """Return the float copy of an integer tensor, made by a DEQUANTIZE at the end of `nodes` if there is none."""
        if tensor.n_scales == 0 or tensor in self.floats:
            return self.floats.get(tensor, tensor)
        values = tensor.values()
        copy = float_copy(tensor, None if values is None else _dequantized(tensor, values))
        if values is None:
            nodes.append(self._conversion("DEQUANTIZE", tensor, copy))
        self.floats[tensor] = copy
        return copy

    def _with_float_result(self, node: Operator) -> list[Operator]:
        """Give an operator a float result, and return a QUANTIZE if integers read it."""
        old = node.outputs[0]
        if old.n_scales == 0:
            return []
        copy = self.floats[old] = float_copy(old)
        node.outputs = [copy]
        return [self._conversion("QUANTIZE", copy, old)] if self._is_read_as_integers(old) else []

    def _conversion(self, op: str, source: Tensor, result: Tensor) -> Operator:
        return Operator(op, [source], [result], version=self.versions[op])

    def _is_read_as_integers(self, tensor: Tensor) -> bool:
        """Whether an operator that is not chosen reads a tensor, directly or after a change of scale."""
        for node in self.readers[tensor]:
            if node.op == "QUANTIZE" and self._is_read_as_integers(node.outputs[0]):
                return True
            if node.op not in _CONVERSIONS and node not in self.chosen:
                return True
        return False


def _dequantized(tensor: Tensor, values: NDArray) -> NDArray[np.float32]:
    """Return the numbers a quantized constant stands for."""
    assert tensor.quantization is not None
    scale, zero = np.array(tensor.quantization.scale), np.array(tensor.quantization.zero_point)
    shape = [1] * values.ndim
    if scale.size > 1:
        shape[tensor.quantization.axis] = -1
    return ((values.astype(np.float64) - zero.reshape(shape)) * scale.reshape(shape)).astype(np.float32)
