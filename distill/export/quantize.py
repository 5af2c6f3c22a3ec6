"""Choice of the operators that stay in floats in the integer modes, the same in every lane.

An 8-bit decoder cannot tell apart positions closer than 1/256 of the crop, and products of maps in 8 bits flatten the
peaks that a soft-argmax weighs: with random weights the error was 110 px. So everything from the last layer with
weights to the output is in floats. Norm statistics are single numbers per map with a wide range: floats are free there.
Weights of layers that compute in floats are stored in 8 bits all the same and unpacked when the file is loaded: half of
EFLD's integer file would be its last layer otherwise.
"""

import re
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.export.config import QuantizeConfig
from distill.export.quantization_modes import MODES
from distill.opcheck.module_map import module_map
from distill.tflite.complexity import LAYERS
from distill.tflite.model import Model, Operator, Tensor

_WEIGHTLESS = ("ADD", "SUB", "MUL", "DIV", "RSQRT", "SQRT", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")


def float_operators(
    operators: Sequence[Operator], modules: Sequence[str | None], config: QuantizeConfig, mode: str, batch: int = 1
) -> list[Operator]:
    """Return the operators that stay in floats: the decoder always, the rest as configured.

    Args:
        modules: path of the torch module that made each operator, None where unknown.
        batch: size of the batch dimension.
    """
    decoder, patterns = decoder_of(operators), [re.compile(pattern) for pattern in config.modules(mode)]
    return [
        operator
        for operator, module in zip(operators, modules, strict=True)
        if operator in decoder
        or operator.op in config.float_ops
        or (module is not None and any(pattern.fullmatch(module) for pattern in patterns))
        or (config.float_statistics and operator.op in _WEIGHTLESS and _is_statistic(operator, batch))
    ]


def _is_statistic(operator: Operator, batch: int) -> bool:
    """One number, or one for each channel of a map, for each image of the batch or for all."""
    shape = operator.outputs[-1].shape
    values = prod(shape[1:]) if len(shape) > 2 and shape[0] == batch else prod(shape)
    return len(shape) != 2 and values == max(shape[-1:], default=1)


def decoder_of(operators: Sequence[Operator]) -> set[Operator]:
    """Return the operators from the outputs back to the last weights.

    A layer that gives the coordinates themselves, as a regression's last one does, decodes too.
    """
    writers = {tensor: operator for operator in operators for tensor in operator.outputs}
    read = {tensor for operator in operators for tensor in operator.present_inputs}
    open_ends = [operator for operator in operators if read.isdisjoint(operator.outputs)]
    found, size = set[Operator](), max(prod(operator.outputs[-1].shape) for operator in open_ends)
    while open_ends:
        operator = open_ends.pop()
        if operator in found:
            continue
        found.add(operator)
        if operator.op not in LAYERS:
            before = [writers[tensor] for tensor in operator.present_inputs if tensor in writers]
            open_ends += [each for each in before if each.op not in LAYERS or prod(each.outputs[-1].shape) == size]
    return found


def ends_of(operators: Sequence[Operator]) -> set[Operator]:
    """Return the operators from the outputs back to the last layers with weights, these included."""
    writers = {tensor: operator for operator in operators for tensor in operator.outputs}
    read = {tensor for operator in operators for tensor in operator.present_inputs}
    found, open_ends = set[Operator](), [each for each in operators if read.isdisjoint(each.outputs)]
    while open_ends:
        operator = open_ends.pop()
        found.add(operator)
        if operator.op not in LAYERS:
            before = [writers[tensor] for tensor in operator.present_inputs if tensor in writers]
            open_ends += [each for each in before if each not in found]
    return found


def stem_of(operators: Sequence[Operator], image: Tensor) -> list[Operator]:
    """Return the operators from the image to the first layer with weights whose output is smaller.

    At the size of the image the steps before that layer take longer in integers than in floats: XNNPACK folds a PAD
    into the convolution behind it in floats alone.
    """
    found, known = list[Operator](), {image}
    for operator in operators:
        if known.intersection(operator.present_inputs):
            found.append(operator)
            known.update(operator.outputs)
            if operator.op in LAYERS and operator.outputs[0].shape[1:3] != image.shape[1:3]:
                break
    return found


def float_names(
    model: Model, onnx_path: Path, image: NDArray[np.float32], modes: Sequence[str], config: QuantizeConfig
) -> dict[str, list[str]]:
    """Return, for each calibrated mode, the tensors whose operators stay in floats.

    Args:
        model: float file that a lane quantizes.
        onnx_path: the graph it was made from, for the names of modules.
        image: (h, w, 3) float32 that the two are matched on.
    """
    modules, batch = module_map(model, onnx_path, image), model.main.inputs[0].shape[0]
    return {
        mode: [operator.outputs[-1].name for operator in float_operators(model.operators, modules, config, mode, batch)]
        for mode in modes
        if MODES[mode].calibrated
    }
