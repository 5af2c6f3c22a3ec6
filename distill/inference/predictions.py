"""Predictions as JSON, JSON Lines and CSV."""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from distill.errors import ConfigError
from distill.files import require_writable, write_text, writing
from distill.inference.backend import Confidence
from distill.inference.face import Face
from distill.inference.sources import Frame


def describe(faces: Sequence[Face]) -> list[dict[str, Any]]:
    """Return the faces of a photo as plain numbers, in photo pixels; a confidence that there is not is None."""
    return [
        {
            "score": round(float(face.score), 4),
            "box": [round(float(value), 2) for value in face.box],
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
    one object a photo, written at once. `.csv`: one row a face: photo, width, height, frame, face, score, left, top,
    right, bottom, then x and y of every point, then confidence, placed (1 or 0) and the confidence of every point,
    which are empty where the model gives none, then the id of a face that is followed through a video.
    """

    def __init__(self, path: Path, model: str, scheme: str, n_points: int) -> None:
        """Open the file.

        Raises:
            ConfigError: another suffix, or nothing can be written there.
        """
        if path.suffix not in (".json", ".jsonl", ".csv"):
            raise ConfigError(f"{path}: unknown format '{path.suffix}'; write .json, .jsonl or .csv")
        require_writable(path)
        self._path = path
        self._header = {"model": model, "scheme": scheme}
        self._photos: dict[str, Any] = {}
        self._file: TextIO | None = None
        if path.suffix != ".json":
            self._file = path.open("w", encoding="utf-8", newline="")
        if path.suffix == ".csv":
            points = [f"{axis}{point}" for point in range(n_points) for axis in "xy"]
            certain = ["confidence", "placed", *(f"confidence{point}" for point in range(n_points)), "id"]
            head = ["photo", "width", "height", "frame", "face", "score", "left", "top", "right", "bottom"]
            self._row(*head, *points, *certain)

    def __enter__(self) -> "PredictionWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with writing(self._path):
                self._file.close()
        else:
            write_text(self._path, readable_json({**self._header, "photos": self._photos}))

    def add(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Write the faces of one photo."""
        with writing(self._path):
            self._add(frame, describe(faces))

    def _add(self, frame: Frame, found: list[dict[str, Any]]) -> None:
        height, width = frame.pixels.shape[:2]
        if self._file is None:
            self._photos[frame.name] = found
        elif self._path.suffix == ".csv":
            for number, face in enumerate(found):
                points = [value for point in face["points"] for value in point]
                index = "" if frame.index is None else frame.index
                placed = None if face["placed"] is None else int(face["placed"])
                certain = [face["confidence"], placed, *(face["point_confidence"] or [None] * len(face["points"]))]
                certain.append(face["id"])
                about = [frame.source.name, width, height, index, number, face["score"], *face["box"]]
                self._row(*about, *points, *certain)
        else:
            line = {"photo": frame.source.name, "width": width, "height": height, **self._header}
            time = {} if frame.index is None else {"frame": frame.index, "seconds": frame.seconds}
            print(json.dumps({**line, **time, "faces": found}), file=self._file, flush=True)

    def _row(self, *values: Any) -> None:
        if self._file is not None:
            csv.writer(self._file).writerow(values)
