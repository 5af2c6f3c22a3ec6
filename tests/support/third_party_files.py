"""ONNX files with the inputs and outputs of YuNet and SCRFD that find a white square, for tests without their weights.

The score of a cell is its mean brightness, so a white square of one cell is a face; its box and its points are
constants, in strides from the corner of the cell.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
POINTS = (0.2, 0.3, 0.8, 0.3, 0.5, 0.5, 0.3, 0.8, 0.7, 0.8)
# What each output of a cell is: constants, or None for the brightness.
Parts = dict[str, tuple[float, ...] | None]
# Centre and logarithm of the size: the box is 3 cells wide and 4 high.
YUNET: Parts = {"cls": None, "obj": None, "bbox": (0.5, 0.5, np.log(3.0), np.log(4.0)), "kps": POINTS}
# Distances to the left, top, right and bottom, of both anchors.
SCRFD: Parts = {"score": None, "bbox": (1.0, 1.5, 2.0, 2.5) * 2, "kps": POINTS * 2}


def write_net(
    path: Path,
    parts: Parts,
    side: int | None = 64,
    white: float = 255.0,
    dark: float = 0.0,
    anchors: int = 1,
    batched: bool = True,
) -> Path:
    """Write a network of strides 8, 16 and 32; only stride 8 has scores above 0.

    Args:
        path: of the file.
        parts: what each cell has.
        side: of a fixed square input in pixels; None for any.
        white: value of a channel whose score is 1.
        dark: value of a channel whose score is 0.
        anchors: of a cell; all have the score of the cell.
        batched: outputs are (1, n, channels), else (n, channels).
    """
    nodes, constants, outputs = [], [], []
    for name, values in parts.items():
        for stride in STRIDES:
            label = f"{name}_{stride}"
            channels = anchors if values is None else len(values)
            weights = np.zeros((channels, 3, 1, 1), np.float32)
            bias = np.zeros(channels, np.float32)
            if values is not None:
                bias[:] = values
            elif stride == STRIDES[0]:
                weights += 1 / 3 / (white - dark)
                bias -= dark / (white - dark)
            shape = np.array([1, -1, channels // anchors][not batched :], np.int64)
            for part, content in (("weights", weights), ("bias", bias), ("shape", shape)):
                constants.append(numpy_helper.from_array(content, f"{label}_{part}"))
            pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
            nodes += [
                helper.make_node("AveragePool", ["input"], [f"{label}_pooled"], **pool),
                helper.make_node(
                    "Conv", [f"{label}_pooled", f"{label}_weights", f"{label}_bias"], [f"{label}_map"],
                    kernel_shape=[1, 1],
                ),
                helper.make_node("Transpose", [f"{label}_map"], [f"{label}_last"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{label}_last", f"{label}_shape"], [label]),
            ]  # fmt: skip
            rows = f"rows_{stride}" if side is None else (side // stride) ** 2 * anchors
            declared = [1, rows, channels // anchors][not batched :]
            outputs.append(helper.make_tensor_value_info(label, TensorProto.FLOAT, declared))
    sides = ["height", "width"] if side is None else [side, side]
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, *sides])
    graph = helper.make_graph(nodes, "detector", [image], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def write_yunet(path: Path, side: int | None = 64) -> Path:
    """Write a network with YuNet's outputs; its box is 24 x 32 px around the middle of the white cell."""
    return write_net(path, YUNET, side)


def write_scrfd(path: Path, side: int | None = None) -> Path:
    """Write a network with SCRFD's outputs, two equal anchors a cell, whose images lie in [-1, 1]."""
    return write_net(path, SCRFD, side, 127.5 / 128, -127.5 / 128, anchors=2, batched=False)


def white_cell(width: int, height: int, column: int, row: int) -> NDArray[np.uint8]:
    """Return a black photo with one white cell of stride 8."""
    photo = np.zeros((height, width, 3), np.uint8)
    photo[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 255
    return photo
