"""Whether an ONNX file holds its own weights, read from its bytes without onnx.

ONNX lets a tensor name another file that holds its data. Such a file is covered by no hash and may be anything the
reader can open, so models with external data are refused.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from distill.errors import CheckpointError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 32
# Message -> field number -> message of its content (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor

Data = bytes | mmap.mmap


def require_embedded(path: str | Path) -> None:
    """Check that all weights of an ONNX file lie in the file itself.

    Raises:
        CheckpointError: it names another file, or is no ONNX model.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            external = any(_external(data, 0, len(data), "model", 0))
    except (OSError, ValueError, IndexError) as error:
        raise CheckpointError(f"{path}: not an ONNX model ({error}); export or download it again") from error
    if external:
        raise CheckpointError(f"{path}: its weights lie in another file; save it with all weights inside")


def _external(data: Data, start: int, end: int, message: str, depth: int) -> Iterator[bool]:
    """Yield True for each tensor of a message that names another file."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"more than {_MAX_DEPTH} levels")
    children = _FIELDS[message]
    for field, kind, first, last in _entries(data, start, end):
        if message == "tensor" and field == _EXTERNAL_DATA:
            yield True
        if message == "tensor" and field == _DATA_LOCATION and kind == _VARINT and first:
            yield True
        if kind == _BYTES and field in children:
            yield from _external(data, first, last, children[field], depth + 1)


def _entries(data: Data, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield field number, wire type and the range of the content (of a varint its value) of each field."""
    while position < end:
        key, position = _varint(data, position, end)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(data, position, end)
            yield field, kind, value, value
            continue
        if kind == _BYTES:
            length, position = _varint(data, position, end)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {position}")
        if position + length > end:
            raise ValueError(f"cut short at byte {position}")
        yield field, kind, position, position + length
        position += length


def _varint(data: Data, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= end or shift > 63:
            raise ValueError(f"cut short at byte {position}")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
