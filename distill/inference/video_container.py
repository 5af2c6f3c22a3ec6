"""Size of a video file as its container states it, to find files that were cut off.

The number of frames in a header does not show it: of a video that was trimmed on a phone it counts the frames that an
edit list hides, and for Matroska it is the product of duration and frame rate.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEAD = 16
# Top-level boxes of ISO/IEC 14496-12 and QuickTime; after other bytes nothing is known.
_BOXES = (b"ftyp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"styp", b"free", b"skip", b"wide", b"uuid", b"meta")
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_RIFF_UNKNOWN = (0, 0xFFFFFFFF)


def missing_bytes(path: str | Path) -> int:
    """Return how many bytes a video file is shorter than its container states.

    Returns:
        0 for a complete file, for a container that states no size (a recording that was not closed), and for
        containers other than MP4, QuickTime, AVI and Matroska (WebM).
    """
    with Path(path).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        end = max(_ends(file, size), default=0)
    return max(end - size, 0)


def _ends(file: BinaryIO, size: int) -> Iterator[int]:
    """Yield where each top-level element ends, up to the first that is not known or does not end in the file."""
    start = 0
    while start < size:
        head = _read(file, start)
        length = _box(head) or _riff(head) or _ebml(head)
        if not length:
            return
        start += length
        yield start


def _read(file: BinaryIO, start: int) -> bytes:
    file.seek(start)
    return file.read(_HEAD)


def _box(head: bytes) -> int:
    """Return the length of an MP4 box; 0 for other bytes and for a box that extends to the end of the file."""
    if head[4:8] not in _BOXES:
        return 0
    length = int.from_bytes(head[:4], "big")
    return int.from_bytes(head[8:16], "big") if length == 1 else length


def _riff(head: bytes) -> int:
    """Return the length of a RIFF chunk of an AVI file, padded to an even number, or 0."""
    length = int.from_bytes(head[4:8], "little")
    if head[:4] != b"RIFF" or head[8:12] not in (b"AVI ", b"AVIX") or length in _RIFF_UNKNOWN:
        return 0
    return 8 + length + length % 2


def _ebml(head: bytes) -> int:
    """Return the length of a Matroska header or segment; 0 for other bytes and for a segment of unknown length."""
    if head[:4] not in (_EBML, _SEGMENT) or len(head) < 5 or head[4] == 0:
        return 0
    width = 9 - head[4].bit_length()  # leading zeros of the first byte, and itself
    length = int.from_bytes(head[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
    return 0 if length == (1 << 7 * width) - 1 else 4 + width + length
