"""The `.pts` text format of iBUG: 1-based on disk, 0-based in memory.

    version: 1
    n_points: 68
    {
    161.96 208.92
    ...
    }

The IVSFD contest writes several faces into one file, block after block, with a label: `version: 1(right one)`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill.errors import AnnotationError
from distill.files import read_regular
from distill.geometry import Points

_VERSION = re.compile(r"version:\s*1(?:\.0)?\s*(?:\((?P<label>[^()]*)\))?")
_COUNT = re.compile(r"n_points:\s*(?P<count>\d{1,4})")
_MAX_BYTES = 1_000_000


class PtsFace(NamedTuple):
    """One block: points (k, 2), 0-based pixel centres, and the label in its header ('' when there is none)."""

    points: Points
    label: str


class _Lines:
    """Non-blank lines with their numbers, so that errors can name the line."""

    def __init__(self, text: str, source: str | Path) -> None:
        self.source = source
        self.lines: Iterator[tuple[int, str]] = iter(
            [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        )

    def error(self, number: int, line: str, wanted: str) -> AnnotationError:
        return AnnotationError(f"{self.source}: line {number} is {line[:40]!r} where {wanted} belongs; fix the file")

    def next(self, wanted: str) -> tuple[int, str]:
        for number, line in self.lines:
            return number, line
        raise AnnotationError(f"{self.source}: ends where {wanted} belongs; copy the file again, it is cut short")

    def match(self, pattern: re.Pattern[str], wanted: str) -> re.Match[str]:
        number, line = self.next(wanted)
        match = pattern.fullmatch(line)
        if match is None:
            raise self.error(number, line, wanted)
        return match

    def literal(self, wanted: str) -> None:
        self.match(re.compile(re.escape(wanted)), f"'{wanted}'")

    def point(self, wanted: str) -> list[float]:
        number, line = self.next(wanted)
        try:
            x, y = (float(value) for value in line.split())
        except ValueError as error:
            raise self.error(number, line, wanted) from error
        if not abs(x) + abs(y) < 1e6:  # also catches NaN and infinity
            raise self.error(number, line, f"{wanted} with finite coordinates")
        return [x, y]


def _block(lines: _Lines, header: re.Match[str]) -> PtsFace:
    count = int(lines.match(_COUNT, "'n_points: N'")["count"])
    lines.literal("{")
    points = [lines.point(f"point {i + 1} of {count} ('x y')") for i in range(count)]
    lines.literal("}")
    array = np.array(points, np.float64).reshape(count, 2) - 1
    return PtsFace(array.astype(np.float32), (header["label"] or "").strip())


def parse_pts_blocks(text: str, source: str | Path) -> list[PtsFace]:
    """Parse a `.pts` text of one or several faces, in file order; `source` is the file named in errors.

    Raises:
        AnnotationError: anything but well-formed blocks with as many finite points as their header says.
    """
    if text.lstrip().startswith("<"):
        raise AnnotationError(f"{source}: a web page or XML, not landmarks; download the .pts file again")
    lines = _Lines(text, source)
    faces = []
    lines_wanted = "'version: 1'"
    faces.append(_block(lines, lines.match(_VERSION, lines_wanted)))
    for number, line in lines.lines:
        header = _VERSION.fullmatch(line)
        if header is None:
            raise lines.error(number, line, f"{lines_wanted} or the end of the file")
        faces.append(_block(lines, header))
    return faces


def parse_pts(text: str, source: str | Path) -> Points:
    """Parse a `.pts` text of exactly one face to points (k, 2), 0-based pixel centres.

    Raises:
        AnnotationError: as `parse_pts_blocks`, and for several faces.
    """
    faces = parse_pts_blocks(text, source)
    if len(faces) > 1:
        raise AnnotationError(f"{source}: {len(faces)} faces where one belongs; write one .pts file for each face")
    return faces[0].points


def read_pts_text(path: str | Path) -> str:
    """Read a `.pts` file as text.

    Raises:
        AnnotationError: missing, unreadable, far too large or not text.
    """
    path = Path(path)
    try:
        data = read_regular(path)
        if len(data) > _MAX_BYTES:
            raise AnnotationError(f"{path}: {len(data)} bytes are too many for a .pts file; check what it is")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: binary data, not landmarks; copy or download the .pts file again") from error


def read_pts(path: str | Path) -> Points:
    """Read a `.pts` file of one face: points (k, 2), 0-based pixel centres. Raises AnnotationError."""
    return parse_pts(read_pts_text(path), path)
