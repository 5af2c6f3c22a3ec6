"""Layouts of third-party detectors: what a file takes and returns, and how it is recognised by its outputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.third_party.decoding import (
    SCRFD_ANCHORS,
    STRIDES,
    ULTRAFACE_ANCHORS,
    Outputs,
    decode_scrfd,
    decode_ultraface,
    decode_yunet,
)

Shape = tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """How the files of one family of detectors are run.

    Attributes:
        name: of the family.
        outputs: description of its outputs, for messages.
        shapes: width and height of the input in pixels -> (rows, channels) of every output.
        decode: outputs, width, height, lowest score -> candidates in pixels of the input.
        bgr: order of the channels.
        mean: subtracted from every channel of an image in [0, 255].
        scale: what the difference is multiplied by.
        size: longer side in pixels of inputs that may have any size, unless another one is given.
        min_score: operating score of the family's own program.
        iou: overlap from which its own program drops the weaker of two boxes.
    """

    name: str
    outputs: str
    shapes: Callable[[int, int], list[Shape]]
    decode: Callable[[Outputs, int, int, float], Candidates]
    bgr: bool
    mean: float
    scale: float
    size: int
    min_score: float
    iou: float


def _yunet_shapes(width: int, height: int) -> list[Shape]:
    return [(rows, channels) for rows in _cells(width, height) for channels in (1, 1, 4, 10)]


def _scrfd_shapes(width: int, height: int) -> list[Shape]:
    return [(rows * SCRFD_ANCHORS, channels) for rows in _cells(width, height) for channels in (1, 4, 10)]


def _scrfd_box_shapes(width: int, height: int) -> list[Shape]:
    return [shape for shape in _scrfd_shapes(width, height) if shape[1] != 10]


def _ultraface_shapes(width: int, height: int) -> list[Shape]:
    rows = sum(-(-width // stride) * -(-height // stride) * anchors for stride, anchors in ULTRAFACE_ANCHORS)
    return [(rows, 2), (rows, 4)]


def _cells(width: int, height: int) -> list[int]:
    return [(width // stride) * (height // stride) for stride in STRIDES]


_SCRFD = Layout(
    "SCRFD", "9: score, box, points of 2 anchors a cell",
    _scrfd_shapes, decode_scrfd, bgr=False, mean=127.5, scale=1 / 128, size=640, min_score=0.5, iou=0.4,
)  # fmt: skip
LAYOUTS = (
    Layout(
        "YuNet", "12: 2 scores, box, points at strides 8, 16, 32",
        _yunet_shapes, decode_yunet, bgr=True, mean=0, scale=1, size=640, min_score=0.9, iou=0.3,
    ),
    _SCRFD,
    replace(_SCRFD, name="SCRFD without points", outputs="6", shapes=_scrfd_box_shapes),
    Layout(
        "UltraFace", "2: scores (n, 2) and boxes (n, 4)",
        _ultraface_shapes, decode_ultraface, bgr=False, mean=127, scale=1 / 128, size=320, min_score=0.7, iou=0.3,
    ),
)  # fmt: skip


def recognise(shapes: Sequence[Shape], width: int, height: int) -> Layout | None:
    """Return the layout of outputs (rows, channels) in any order for an input of this size; None if there is none."""
    for layout in LAYOUTS:
        if sorted(layout.shapes(width, height)) == sorted(shapes):
            return layout
    return None
