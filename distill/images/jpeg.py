"""Fast JPEG decoding that notices damage.

OpenCV decodes 2.6 times as fast as Pillow, but neither reports a file of which a part is missing: libjpeg fills the
rest with grey and prints a warning on the error output of the process. `decode_jpeg` reads that warning, which is the
decoder's own judgement and does not depend on markers that a copying program may have added.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2
import numpy as np
from numpy.typing import NDArray

_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = b"\xff\xda"
_PROGRESSIVE = 0xC2
_COEFFICIENTS = 64
_DAMAGE = re.compile(rb"(?:Corrupt JPEG data|Premature end of JPEG file)[^\n]*\n?")
_EXTRANEOUS = re.compile(rb"(\d+) extraneous bytes before marker 0xd9")
# Webcams leave a few bytes before the end marker, some phones fill up with a constant byte.
_LEFTOVER = 16
_ALIKE = 64
_STDERR = 2
_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,  # the bit of the scale alone; colour is another
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_PIPE_SIZE = 1 << 16
# The error output belongs to the process, so that one thread at a time may redirect it.
_LOCK = threading.Lock()


class DamagedJpegError(ValueError):
    """Compressed data that are cut short or overwritten; the text is libjpeg's."""


def decode_jpeg(data: bytes, scale: int = 1) -> NDArray[np.uint8] | None:
    """Decode a JPEG to its stored pixels, (h, w, 3) uint8 RGB; None where OpenCV cannot.

    Args:
        data: the file.
        scale: 1, 2, 4 or 8: 1/`scale` of the size, sides rounded up; blocks of pixels start at the stored corner.

    Raises:
        DamagedJpegError: part of the image is missing.
    """
    # The added marker turns a file that simply ends into one that libjpeg warns about.
    buffer = np.frombuffer(data + _END_OF_IMAGE, np.uint8)
    with _LOCK, _error_output() as read_output:
        try:
            pixels: NDArray[np.uint8] | None = cv2.imdecode(
                buffer, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | _REDUCED[scale]
            )
        except cv2.error:
            return None
        match = _DAMAGE.search(read_output())
    if match and not _only_padding(match[0], data):
        raise DamagedJpegError(match[0].decode("ascii", "replace").strip())
    if _lacks_scans(data):
        raise DamagedJpegError("a progressive JPEG of which only the first scans are there")
    return pixels


def _lacks_scans(data: bytes) -> bool:
    """Whether a progressive file ends between two scans: without end marker, or with coefficients never sent.

    libjpeg does not warn about either, and returns a coarse image.
    """
    frame = _progressive_frame(data)
    if frame is None:
        return False
    start, components = frame
    sent: dict[int, int] = dict.fromkeys(components, 0)
    scan = data.find(_START_OF_SCAN, start)
    while scan >= 0 and scan + 5 + 2 * len(components) + 3 < len(data):
        count = data[scan + 4]
        end = scan + 5 + 2 * count
        first, last = data[end : end + 2]
        for component in data[scan + 5 : end : 2]:
            sent[component] = sent.get(component, 0) | ((1 << last + 1) - (1 << first))
        stop = data.find(_END_OF_IMAGE, scan)
        scan = data.find(_START_OF_SCAN, scan + 2, stop if stop >= 0 else len(data))
    if data.rfind(_END_OF_IMAGE) < data.rfind(_START_OF_SCAN):
        return True
    return any(sent[component] != (1 << _COEFFICIENTS) - 1 for component in components)


def _progressive_frame(data: bytes) -> tuple[int, tuple[int, ...]] | None:
    """Return where the header of a progressive frame ends and the ids of its components; None for other JPEGs."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _START_OF_SCAN[1]:
        if data[at + 1] == 0xFF:  # a filling byte
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == _PROGRESSIVE and at + 2 + length <= len(data):
            count = data[at + 9]
            return at + 2 + length, tuple(data[at + 10 : at + 10 + 3 * count : 3])
        at += 2 + length
    return None


def _only_padding(warning: bytes, data: bytes) -> bool:
    """Whether a warning is about a few bytes, or a constant filling, between a whole image and its end marker."""
    match = _EXTRANEOUS.search(warning)
    if match is None:
        return False
    count = int(match[1])
    if count <= _LEFTOVER:
        return True
    end = data.find(_END_OF_IMAGE)
    while end >= 0:
        filling = data[max(0, end - count) : end]
        before = data[max(0, end - count - _ALIKE) : end - count] if end > count else b""
        # A longer run of the same byte reaches into the image: a part that was never written.
        if len(filling) == count and len(set(filling)) == 1 and set(before) != set(filling):
            return True
        end = data.find(_END_OF_IMAGE, end + 1)
    return False


@contextmanager
def _error_output() -> Iterator["_Reader"]:
    """Collect what is written to file descriptor 2; what is no damage report is passed on afterwards."""
    try:
        original = os.dup(_STDERR)
    except OSError:  # a process without error output
        yield _Reader(None)
        return
    source, sink = os.pipe()
    reader = _Reader(source)
    os.dup2(sink, _STDERR)
    os.close(sink)
    try:
        yield reader
    finally:
        os.dup2(original, _STDERR)
        os.close(original)
        reader()
        os.close(source)
        if rest := _DAMAGE.sub(b"", reader.text):
            os.write(_STDERR, rest)


class _Reader:
    """Return everything a pipe has received so far."""

    def __init__(self, source: int | None) -> None:
        self._source = source
        self.text = b""
        if source is not None:
            os.set_blocking(source, False)

    def __call__(self) -> bytes:
        if self._source is not None:
            with suppress(BlockingIOError):
                self.text += os.read(self._source, _PIPE_SIZE)
        return self.text
