"""Predictions as JSON, JSON Lines and CSV."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from distill.errors import ConfigError
from distill.files import require_writable, write_json
from distill.inference.landmarker import Face
from distill.inference.sources import Frame


def describe(faces: Sequence[Face]) -> list[dict[str, Any]]:
    """Return the faces of a photo as plain numbers, in photo pixels."""
    return [
        {
            "score": round(float(face.score), 4),
            "box": [round(float(value), 2) for value in face.box],
            "points": face.landmarks.astype(float).round(3).tolist(),
        }
        for face in faces
    ]


class PredictionWriter:
    """Write the faces of many photos into one file, whose suffix names the format.

    `.json`: one object, written at the end: `{"model", "scheme", "photos": {name: [face]}}`. `.jsonl`: one object a
    photo, written at once. `.csv`: one row a face: photo, width, height, frame, face, score, left, top,
    right, bottom, then x and y of every point.
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
            self._row("photo", "width", "height", "frame", "face", "score", "left", "top", "right", "bottom", *points)

    def __enter__(self) -> "PredictionWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        else:
            write_json(self._path, {**self._header, "photos": self._photos})

    def add(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Write the faces of one photo."""
        height, width = frame.pixels.shape[:2]
        found = describe(faces)
        if self._file is None:
            self._photos[frame.name] = found
        elif self._path.suffix == ".csv":
            for number, face in enumerate(found):
                points = [value for point in face["points"] for value in point]
                index = "" if frame.index is None else frame.index
                self._row(frame.source.name, width, height, index, number, face["score"], *face["box"], *points)
        else:
            line = {"photo": frame.source.name, "width": width, "height": height, **self._header}
            time = {} if frame.index is None else {"frame": frame.index, "seconds": frame.seconds}
            print(json.dumps({**line, **time, "faces": found}), file=self._file, flush=True)

    def _row(self, *values: Any) -> None:
        if self._file is not None:
            csv.writer(self._file).writerow(values)
