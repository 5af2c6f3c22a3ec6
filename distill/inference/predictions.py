"""Predictions as JSON, JSON Lines and CSV."""

import csv
import json
import re
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from distill.errors import ConfigError
from distill.files import atomic_path, require_writable, write_text, writing
from distill.inference.backend import Confidence
from distill.inference.face import Face
from distill.inference.sources import Frame


def describe(faces: Sequence[Face]) -> list[dict[str, Any]]:
    """Return the faces of a photo as plain numbers, in photo pixels; a confidence that there is not is None.

    The box of a tilted face is the one along the axes around it.
    """
    return [
        {
            "score": round(float(face.score), 4),
            "box": [round(float(value), 2) for value in face.bounds],
            "points": face.landmarks.astype(float).round(3).tolist(),
            "confidence": None if face.confidence is None else round(face.confidence, 4),
            "placed": face.placed,
            "point_confidence": _rounded(face.point_confidence),
            "id": face.id,
        }
        for face in faces
    ]


def _rounded(confidence: Confidence | None) -> list[float] | None:
    return None if confidence is None else [round(float(value), 4) for value in confidence]


# An array without arrays, objects and strings in it; only between the elements of an array are there line breaks.
_PLAIN_ARRAY = re.compile(r'\[\n\s*([^][{}"]+?)\n\s*\]')


def readable_json(content: Any) -> str:
    """Return indented JSON with each array of numbers, such as a point or a box, on one line."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    return _PLAIN_ARRAY.sub(lambda match: f"[{' '.join(match[1].split())}]", text)


class PredictionWriter:
    """Write the faces of many photos into one file, whose suffix names the format.

    `.json`: one object, written at the end: `{"model", "scheme", "photos": {name: [face]}}`, a point a line. `.jsonl`:
    one object a photo, written at once. `.csv`, which appears at the end: one row a face: photo, width, height, frame,
    face, score, left, top, right, bottom, then x and y of every point, then confidence, placed (1 or 0) and the
    confidence of every point, which are empty where the model gives none, then the id of a face that is followed
    through a video.
    """

    def __init__(self, path: Path, model: str, scheme: str, n_points: int) -> None:
        """Check that the file can be written.

        Raises:
            ConfigError: another suffix, or nothing can be written there.
        """
        if path.suffix not in (".json", ".jsonl", ".csv"):
            raise ConfigError(f"{path}: unknown format '{path.suffix}'; write .json, .jsonl or .csv")
        require_writable(path)
        self._path = path
        self._header = {"model": model, "scheme": scheme}
        self._n_points = n_points
        self._photos: dict[str, Any] = {}
        self._open = ExitStack()
        self._table: TextIO | None = None
        self._lines: FileIO | None = None
        self._bytes = 0
        self._failed: ConfigError | None = None

    def __enter__(self) -> "PredictionWriter":
        if self._path.suffix == ".csv":
            temporary = self._open.enter_context(atomic_path(self._path))
            self._table = self._open.enter_context(
                temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            )
            points = [f"{axis}{point}" for point in range(self._n_points) for axis in "xy"]
            certain = ["confidence", "placed", *(f"confidence{point}" for point in range(self._n_points)), "id"]
            head = ["photo", "width", "height", "frame", "face", "score", "left", "top", "right", "bottom"]
            csv.writer(self._table).writerow([*head, *points, *certain])
        elif self._path.suffix == ".jsonl":
            self._lines = self._open.enter_context(self._path.open("wb", buffering=0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed = self._failed
        if failed is None:
            self._open.close()
        else:  # of a table that lacks rows nothing appears
            with suppress(OSError, ConfigError):
                self._open.__exit__(type(failed), failed, failed.__traceback__)
        if self._path.suffix == ".json":
            write_text(self._path, readable_json({**self._header, "photos": self._photos}))

    def add(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Write the faces of one photo.

        Raises:
            ConfigError: the disk is full; JSON Lines then hold the photos before, the other formats are not written.
        """
        found = describe(faces)
        if self._table is not None:
            try:
                with writing(self._path):
                    self._add_rows(self._table, frame, found)
            except ConfigError as error:
                self._failed = error
                raise
        elif self._lines is not None:
            self._add_line(self._lines, frame, found)
        else:
            self._photos[frame.name] = found

    def _add_rows(self, table: TextIO, frame: Frame, found: list[dict[str, Any]]) -> None:
        height, width = frame.pixels.shape[:2]
        for number, face in enumerate(found):
            points = [value for point in face["points"] for value in point]
            index = "" if frame.index is None else frame.index
            placed = None if face["placed"] is None else int(face["placed"])
            certain = [face["confidence"], placed, *(face["point_confidence"] or [None] * len(face["points"]))]
            certain.append(face["id"])
            about = [frame.source.name, width, height, index, number, face["score"], *face["box"]]
            csv.writer(table).writerow([*about, *points, *certain])

    def _add_line(self, lines: FileIO, frame: Frame, found: list[dict[str, Any]]) -> None:
        height, width = frame.pixels.shape[:2]
        line = {"photo": frame.source.name, "width": width, "height": height, **self._header}
        time = {} if frame.index is None else {"frame": frame.index, "seconds": frame.seconds}
        content = json.dumps({**line, **time, "faces": found}).encode() + b"\n"
        rest = content
        try:
            while rest:
                rest = rest[lines.write(rest) :]
        except OSError as error:
            with suppress(OSError):  # a pipe
                lines.truncate(self._bytes)
            raise ConfigError(
                f"{self._path}: cannot be written ({error.strerror}); it holds the photos before {frame.name}"
            ) from error
        self._bytes += len(content)
