"""Native format (manifest): `faces.json` beside a folder of photos, points in as many schemes as are known exactly.

    {"format": "distill-faces/1",
     "faces": [{"name": "train/000000", "image": "images/000000.jpg",
                "points": {"ibug68": [[x, y], ...], "wflw98": [...]},
                "visible": {"ibug68": [1, 0, ...]},                      optional
                "boxes": {"gt": [x0, y0, x1, y1]},                       optional
                "known": {"ibug68": [1, 1, ...]},                        optional, 0 where the point is not annotated
                "attributes": {"yaw": 12.5, "occlusion": true},          optional
                "size": [640, 480],                                      optional, of the photo that was annotated
                "labels": "hand", or "weak" when a model made them,      optional
                "group": "000000", "subset": "train"}]}                  optional

Points and boxes are 0-based pixel centres of the photo.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from distill.data.annotation_size import positive_size
from distill.data.box_sources import source_from_file
from distill.data.readers.reader import FaceFault
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError, ImageError, suggest
from distill.geometry import Box, box_of_points
from distill.images import image_size
from distill.landmarks import load_scheme, scheme_name

FILE_NAME = "faces.json"
FORMAT = "distill-faces/1"
_NO_FACES = '"faces" is not a list of at least one face; write it again'
# A manifest as `format_manifest` writes it, up to its first face; between two faces; and behind the last.
_HEAD = re.compile(rf'\s*\{{\s*"format"\s*:\s*"{FORMAT}"\s*,\s*"faces"\s*:\s*\[\s*(?=\{{)')
_SEPARATOR = re.compile(r"\s*,\s*")
_TAIL = re.compile(r"\s*\]\s*\}\s*")
_DECODER = json.JSONDecoder()
# Characters that are read at a time, at least.
_CHUNK = 1 << 20


class _Text:
    """Text of a file of which a part is in memory, from a position on."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.part = file.read(_CHUNK)
        self.position = 0

    def extend(self) -> bool:
        """Drop what lies before the position and read as much again as is left; False at the end of the file."""
        more = self._file.read(max(_CHUNK, len(self.part) - self.position))
        self.part = self.part[self.position :] + more
        self.position = 0
        return bool(more)

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """Move behind what matches at the position; False where nothing does."""
        match = pattern.match(self.part, self.position)
        while self._undecided(match) and self.extend():
            match = pattern.match(self.part, self.position)
        match = pattern.match(self.part, self.position)
        if match is not None:
            self.position = match.end()
        return match is not None

    def _undecided(self, match: re.Match[str] | None) -> bool:
        """Whether what follows in the file may lengthen a match or make one."""
        return not self.part[self.position if match is None else match.end() :].strip()

    def decode(self) -> Any:
        """Return the JSON value at the position and move behind it.

        Raises:
            ValueError: there is none.
            RecursionError: it is nested too deeply.
        """
        while True:
            try:
                value, self.position = _DECODER.raw_decode(self.part, self.position)
            except (ValueError, RecursionError):
                # A value that is cut short, or a fault.
                if not self.extend():
                    raise
                continue
            return value


def _faces(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the faces of a manifest one by one; of a million only a few are held in memory."""
    if not path.is_file():
        raise AnnotationError(f"{path}: no such file; give the folder that holds {FILE_NAME}")
    try:
        with path.open(encoding="utf-8") as file:
            text = _Text(file)
            if not text.skip(_HEAD):  # other keys, or in another order
                yield from _parsed(path)
                return
            while True:
                face = text.decode()
                if not isinstance(face, dict):
                    raise AnnotationError(f"{path}: {_NO_FACES}")
                yield face
                if not text.skip(_SEPARATOR):
                    break
            if not (text.skip(_TAIL) and text.position == len(text.part) and not text.extend()):
                _parsed(path)  # names what is wrong with it, unless there are further keys
    except (ValueError, OSError, RecursionError):
        _parsed(path)  # names the place in the whole file
        raise


def _parsed(path: Path) -> list[dict[str, Any]]:
    """Return the faces of a manifest that is read whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise AnnotationError(f"{path}: not JSON ({error}); write it again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        actual = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise AnnotationError(f'{path}: format is {actual!r} where "{FORMAT}" belongs; write it again')
    faces = content.get("faces")
    if not isinstance(faces, list) or not faces or not all(isinstance(face, dict) for face in faces):
        raise AnnotationError(f"{path}: {_NO_FACES}")
    return faces


def _choose(points: Mapping[str, Any], scheme: str | None, root: Path) -> tuple[str, str]:
    """Return the key of the points to read and their scheme.

    They are the requested ones, else the first listed that can become them, else the first listed. A key may be a
    scheme file of the data set's own, named relative to `root`.
    """
    schemes = {key: scheme_name(str(root / key)) if key.endswith((".yaml", ".yml")) else key for key in points}
    if scheme is not None:
        scheme = scheme_name(scheme)
        for key, name in schemes.items():
            if name == scheme:
                return key, scheme
        sources = load_scheme(scheme).sources
        for key, name in schemes.items():
            if name in sources:
                return key, name
    return next(iter(schemes.items()))


def _record(root: Path, face: Mapping[str, Any], scheme: str | None, source: Path) -> FaceRecord:
    points = {name: np.array(value, np.float64) for name, value in face["points"].items()}
    key, chosen = _choose(points, scheme, root)
    flags = {name: face.get(name, {}).get(key) for name in ("visible", "known")}
    attributes = face.get("attributes", {})
    if not all(isinstance(value, bool | int | float | str) for value in attributes.values()):
        raise TypeError("an attribute is neither number nor text nor true or false")
    boxes = {
        source_from_file(name): Box(*(float(value) for value in corners))
        for name, corners in face.get("boxes", {}).items()
    }
    # The box must not depend on the requested scheme, or each scheme would be evaluated on different crops.
    first = next(iter(points))
    marked = face.get("known", {}).get(first)
    around = points[first] if marked is None else points[first][np.array(marked, bool)]
    if len(around):
        boxes.setdefault("gt", box_of_points(around))
    image = root / face["image"]
    if not image.resolve().is_relative_to(root.resolve()):
        raise AnnotationError(f"{source}: image {face['image']!r} lies outside {root}; give a path within it")
    stated = positive_size(*face["size"]) if "size" in face else None
    return make_record(
        name=str(face["name"]),
        image=image,
        landmarks=points[key],
        scheme=chosen,
        source=source,
        **{name: None if values is None else np.array(values, bool) for name, values in flags.items()},
        boxes=boxes,
        group=str(face.get("group", face["name"])),
        subset=str(face.get("subset", "")),
        size=None if stated else image_size(image),
        stated=stated,
        attributes=attributes,
        labels=face.get("labels", "hand"),
    )


def face_entry(record: FaceRecord) -> dict[str, Any]:
    """Return what a manifest says of a face, without its photo."""
    face: dict[str, Any] = {"points": {record.scheme: record.landmarks.tolist()}}
    for name, flags in (("visible", record.visible), ("known", record.known)):
        if not flags.all():
            face[name] = {record.scheme: flags.astype(int).tolist()}
    face["boxes"] = {name: list(box) for name, box in record.boxes.items()}
    optional = {"attributes": dict(record.attributes), "labels": record.labels}
    face |= {key: value for key, value in optional.items() if value not in ({}, "hand")}
    return face | {"group": record.group, "subset": record.subset}


def format_manifest(records: Sequence[FaceRecord], root: Path) -> str:
    """Return the text of `faces.json` for faces whose photos lie below `root`; reading it returns the same faces."""
    faces = [
        {"name": record.name, "image": record.image.relative_to(root).as_posix(), **face_entry(record)}
        for record in records
    ]
    return json.dumps({"format": FORMAT, "faces": faces}, separators=(",", ":"), allow_nan=False)


def _read_face(root: Path, face: Mapping[str, Any], scheme: str | None, source: Path) -> FaceRecord:
    """Return the record of a face.

    Raises:
        AnnotationError: points, boxes or visibility make no sense.
        ImageError: its photo cannot be opened.
    """
    try:
        return _record(root, face, scheme, source)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration, IndexError) as error:
        raise AnnotationError(f"{source}: not a face as the format describes it ({error!r}); fix it") from error


def iterate_manifest(
    root: Path,
    subsets: Sequence[str] | None = None,
    scheme: str | None = None,
    on_fault: FaceFault | None = None,
) -> Iterator[FaceRecord]:
    """Yield the faces of `faces.json`, in file order, with the points of `scheme` where the face has them.

    Raises:
        AnnotationError: not such a manifest, or, without `on_fault`, a face whose points, boxes or visibility make no
            sense.
        ImageError: without `on_fault`, a photo that cannot be opened.
    """
    path = root / FILE_NAME
    known = set()
    for index, face in enumerate(_faces(path)):
        subset = str(face.get("subset", ""))
        known.add(subset)
        if subsets is not None and subset not in subsets:
            continue
        name = str(face.get("name", index))
        try:
            record = _read_face(root, face, scheme, Path(f"{path} face {name}"))
        except (AnnotationError, ImageError) as error:
            if on_fault is None:
                raise
            image = face.get("image")
            on_fault(name, root / image if isinstance(image, str) else None, error)
            continue
        yield record
    for subset in subsets or ():
        if subset not in known:
            raise AnnotationError(f"{path}: no subset '{subset}': {suggest(subset, sorted(known))}")


def read_manifest(root: Path, subsets: Sequence[str] | None = None, scheme: str | None = None) -> list[FaceRecord]:
    """Return the faces of `iterate_manifest`."""
    return list(iterate_manifest(root, subsets, scheme))
