"""Result files of contests by template: text, CSV, JSON or .pts, one file a photo or one for all.

Templates are those of `string.Template`: `$x` stands for a value, `$$` for a dollar. A file is

    head, then every face with `face_separator` between them, then tail

and a face holds `$points`: its points with `point_separator` between them. configs/contest/faces_68_csv.yaml has
templates of CSV, JSON and .pts files.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from string import Template
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError, SubmissionError, suggest

_SUFFIX = r"(?:\((?:right|middle|left) one\))?"
# What each part may hold, and what its text looks like in a result; a number of a point is left to its decimals.
_NUMBER = r"-?\d+(?:\.\d+)?"
_PHOTO = {"photo": r"[^\n]*?", "name": r"[^\n]*?"}
_VALUES: Mapping[str, Mapping[str, str]] = {
    "file": _PHOTO,
    "head": {**_PHOTO, "columns": r"[^\n]*?"},
    "face": {**_PHOTO, "index": r"\d+", "n_points": r"\d+", "suffix": _SUFFIX, "points": ""},
    "face_separator": {},
    "point": {"x": _NUMBER, "y": _NUMBER, "index": r"\d+"},
    "point_separator": {},
    "tail": _PHOTO,
}
_REQUIRED = {"file": (), "face": ("points",), "point": ("x", "y")}


class ResultFace(NamedTuple):
    """A face in a result file.

    Attributes:
        photo: what the face states for `$photo`, or `$name`; empty where the template has neither.
        points: (k, 2) as the file states them.
        suffix: `(right one)` and so on, empty where there is none.
    """

    photo: str
    points: NDArray[np.float64]
    suffix: str


@dataclass(frozen=True)
class ResultTemplate:
    """Templates of a result file.

    Attributes:
        file: name of the file; with `$photo` (the photo's name without suffix) one file a photo, else one for all.
        face: `$photo`, `$name` (with suffix), `$index` (from 0), `$n_points`, `$suffix` and `$points`.
        point: `$x`, `$y` and `$index`.
        head: `$photo`, `$name`, and `$columns`: x0,y0,x1,y1,...
        tail: `$photo` and `$name`.
        face_separator: between faces.
        point_separator: between points.
    """

    file: str
    face: str
    point: str
    head: str = ""
    tail: str = ""
    face_separator: str = ""
    point_separator: str = ""

    @property
    def per_photo(self) -> bool:
        """Whether every photo has a file of its own."""
        return "photo" in _names(self.file)

    def file_name(self, stem: str) -> str:
        """Return the name of the file that holds the result of a photo."""
        return Template(self.file).substitute(photo=stem)

    def text_of_face(self, points: NDArray[np.floating], photo: str, index: int, suffix: str, decimals: int) -> str:
        """Return the text of one face.

        Args:
            points: (k, 2) as the file is to state them.
            photo: file name with suffix; quoted as the format of the file asks for.
            index: number of the face in its photo.
        """
        pairs = [
            Template(self.point).substitute(x=f"{x:.{decimals}f}", y=f"{y:.{decimals}f}", index=number)
            for number, (x, y) in enumerate(points.tolist())
        ]
        values = {"index": index, "n_points": len(points), "suffix": suffix, **self.words(photo)}
        return Template(self.face).substitute(points=self.point_separator.join(pairs), **values)

    def words(self, photo: str) -> dict[str, str]:
        """Return `$photo` and `$name` of a file name, quoted as JSON or CSV where the result is such a file."""
        return {"photo": _quoted(_stem(photo), self.file), "name": _quoted(photo, self.file)}

    def document(self, faces: Sequence[str], photo: str, n_points: int) -> str:
        """Return the text of a file from the texts of its faces; `photo` is empty for a file of all photos."""
        columns = ",".join(f"{axis}{number}" for number in range(n_points) for axis in "xy")
        head = Template(self.head).substitute(columns=columns, **self.words(photo))
        return head + self.face_separator.join(faces) + Template(self.tail).substitute(self.words(photo))

    def parse(self, text: str, n_points: int, decimals: int, name: str) -> list[ResultFace]:
        """Read a file strictly, and return its faces in order.

        Raises:
            SubmissionError: the text does not follow the template.
        """
        number = rf"-?\d+\.\d{{{decimals}}}" if decimals else r"-?\d+"
        point = _pattern("point", self.point, {"x": f"({number})", "y": f"({number})"})
        points = re.escape(self.point_separator).join([point] * n_points)
        kept = {"points": points, "n_points": str(n_points), "suffix": f"(?P<suffix>{_SUFFIX})"}
        kept |= {word: rf"(?P<{word}>{pattern})" for word, pattern in _PHOTO.items()}
        face = re.compile(_pattern("face", self.face, kept))
        head, tail = (re.compile(_pattern(part, getattr(self, part), {})) for part in ("head", "tail"))
        start = head.match(text)
        position = start.end() if start else -1
        faces: list[ResultFace] = []
        while start and not tail.fullmatch(text, position):
            if faces and not text.startswith(self.face_separator, position):
                break
            position += len(self.face_separator) if faces else 0
            found = face.match(text, position)
            if found is None:
                break
            faces.append(_read_face(found, n_points))
            position = found.end()
        if start is None or not tail.fullmatch(text, position):
            line = text.count("\n", 0, max(position, 0)) + 1
            raise SubmissionError(f"{name}: line {line} does not follow the template of the rules")
        return faces


def _read_face(found: re.Match[str], n_points: int) -> ResultFace:
    named = found.groupdict()
    words = set(found.re.groupindex.values())
    numbers = [float(group) for index, group in enumerate(found.groups(), 1) if index not in words]
    points = np.array(numbers, np.float64).reshape(n_points, 2)
    return ResultFace(named.get("photo") or named.get("name") or "", points, named.get("suffix") or "")


def _pattern(part: str, template: str, known: Mapping[str, str]) -> str:
    """Return the regular expression of what a template makes; a value that occurs twice is captured once."""
    pieces, position, captured = [], 0, set[str]()
    for match in Template.pattern.finditer(template):
        pieces.append(re.escape(template[position : match.start()]))
        name = match["named"] or match["braced"]
        position = match.end()
        if name is None:
            pieces.append(re.escape("$"))
        elif name in known and name not in captured:
            captured.add(name)
            pieces.append(known[name])
        else:
            pieces.append(_VALUES[part][name])
    return "".join([*pieces, re.escape(template[position:])])


def _names(template: str) -> set[str]:
    return {match["named"] or match["braced"] or "" for match in Template.pattern.finditer(template)}


def _quoted(name: str, file: str) -> str:
    if file.endswith(".json"):
        return json.dumps(name, ensure_ascii=False)[1:-1]  # a template writes the quotes itself
    if file.endswith(".csv") and re.search(r'[",\r\n]', name):
        return '"' + name.replace('"', '""') + '"'
    return name


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def read_template(raw: Any, source: str) -> ResultTemplate | None:
    """Return the templates in the mapping `result` of rules; None where there is none.

    Raises:
        ConfigError: no mapping, an unknown or missing part, no text, or a value that a part cannot hold.
    """
    if raw is None:
        return None
    parts = [field.name for field in fields(ResultTemplate)]
    if not isinstance(raw, dict):
        raise ConfigError(f"{source}: result is {raw!r}; it must be a mapping with {', '.join(parts)}")
    for part, template in raw.items():
        if part not in parts:
            raise ConfigError(f"{source}: unknown part '{part}' of result; {suggest(str(part), parts)}")
        if not isinstance(template, str):
            raise ConfigError(f"{source}: result.{part} is {template!r}; it must be text, in quotes")
        _check_values(part, template, source)
    for part, needed in _REQUIRED.items():
        if part not in raw:
            raise ConfigError(f"{source}: missing part '{part}' of result")
        for name in needed:
            if name not in _names(raw[part]):
                raise ConfigError(f"{source}: result.{part} has no ${name}")
    template = ResultTemplate(**raw)
    if not re.fullmatch(r"[\w$.{} -]+", template.file):
        raise ConfigError(f"{source}: result.file is {template.file!r}; it must be a file name without folders")
    if not template.per_photo and not {"photo", "name"} & _names(template.face):
        raise ConfigError(
            f"{source}: result.file is one file for all photos, but result.face has neither $photo nor $name"
        )
    return template


def _check_values(part: str, template: str, source: str) -> None:
    if any(match["invalid"] is not None for match in Template.pattern.finditer(template)):
        raise ConfigError(f"{source}: result.{part} has a $ without a name; write $$ for a dollar")
    for name in sorted(_names(template) - {""}):
        if name not in _VALUES[part]:
            valid = ", ".join(f"${value}" for value in _VALUES[part]) or "no value"
            raise ConfigError(f"{source}: result.{part} has ${name}; it can hold {valid}")
