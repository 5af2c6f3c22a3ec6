"""Categories of faces that people have labelled, such as sex, age or occlusion: one line of a CSV for each face.

The header is `face` and the names of the categories; a cell is 1 where the face belongs to the category, 0 where it
does not, and empty where that is unknown. `distill data label` makes such a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from distill.data.readers.tables import read_csv_rows
from distill.data.records import FaceRecord
from distill.errors import AnnotationError

FACE = "face"
_VALUES = {"1": True, "0": False}


def read_categories(path: Path) -> dict[str, dict[str, bool]]:
    """Return by the name of each face of the file whether it belongs to each category, where that is known.

    Raises:
        AnnotationError: an unreadable file, one without categories, a face twice, or a cell that is not 1, 0 or empty.
    """
    found: dict[str, dict[str, bool]] = {}
    for line, row in read_csv_rows(path, [FACE]):
        name, cells = row[FACE], {key: value.strip() for key, value in row.items() if key != FACE}
        if not cells:
            raise AnnotationError(f"{path}: no category beside the column {FACE}; add one, such as male")
        if name in found:
            raise AnnotationError(f"{path}: line {line} has the face {name} again; keep one of its lines")
        for key, value in cells.items():
            if value and value not in _VALUES:
                raise AnnotationError(f"{path}: line {line} has {value[:40]!r} for {key}; write 1, 0 or nothing")
        found[name] = {key: _VALUES[value] for key, value in cells.items() if value}
    return found


def with_categories(records: Sequence[FaceRecord], path: Path) -> list[FaceRecord]:
    """Return faces with the categories of a file among their attributes; faces that it does not name stay as they are.

    Raises:
        AnnotationError: as `read_categories`, or a file that names none of the faces.
    """
    known: Mapping[str, Mapping[str, bool]] = read_categories(path)
    if not any(record.name in known for record in records):
        names = f"{next(iter(known), 'no face')}, not {records[0].name}" if records else "faces, and there are none"
        raise AnnotationError(f"{path}: none of its faces is among those measured (it has {names}); give their file")
    return [replace(record, attributes={**record.attributes, **known.get(record.name, {})}) for record in records]
