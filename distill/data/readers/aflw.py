"""AFLW's database: `aflw.sqlite` (or `data/aflw.sqlite`), photos in `flickr/` (or `data/flickr/`).

21 features per face, 0-based pixels; a feature without a row was not visible, and its position is unknown. The official
release has no split: the usual AFLW-19 protocol (20,000 / 4,386) comes as mmpose's JSON, which `coco` reads.
"""

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.annotation_size import positive_size
from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import check_subsets, photo_within
from distill.data.records import Attribute, FaceRecord, make_record
from distill.errors import AnnotationError
from distill.geometry import Box
from distill.images import image_size
from distill.landmarks import load_scheme

SCHEME = "aflw21"
DATABASES = ("aflw.sqlite", "data/aflw.sqlite")
_PHOTO_FOLDERS = ("flickr", "data/flickr", ".")
_FACES = """
    SELECT f.face_id, i.filepath, i.width, i.height, r.x, r.y, r.w, r.h, p.roll, p.pitch, p.yaw
    FROM Faces f JOIN FaceImages i ON i.file_id = f.file_id AND i.db_id = f.db_id
    LEFT JOIN FaceRect r ON r.face_id = f.face_id LEFT JOIN FacePose p ON p.face_id = f.face_id
    ORDER BY i.filepath, f.face_id
"""
_FEATURES = "SELECT face_id, feature_id, x, y FROM FeatureCoords"
_ANGLES = ("roll", "pitch", "yaw")


class AflwFace(NamedTuple):
    """A row: photo below flickr/ with its (width, height), features (21, 2) with NaN where unknown, box and angles."""

    face_id: int
    path: str
    size: tuple[int, int] | None
    points: NDArray[np.float64]
    box: Box | None
    angles: Mapping[str, float]


def _numbers(values: Sequence[Any], what: str, source: Path) -> list[float] | None:
    """Finite floats, or None where the first is NULL."""
    if values[0] is None:
        return None
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(
            f"{source}: {what} is {str(values)[:60]}, not numbers; copy the database again"
        ) from error
    if not all(map(math.isfinite, numbers)):
        raise AnnotationError(f"{source}: {what} is {numbers}, not finite; copy the database again")
    return numbers


def _query(path: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    try:
        # Immutable: no journal is looked for and nothing is written beside the file.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            return database.execute(_FACES).fetchall(), database.execute(_FEATURES).fetchall()
    except (sqlite3.Error, OverflowError, UnicodeDecodeError, MemoryError) as error:
        raise AnnotationError(f"{path}: not AFLW's database ({str(error)[:100]}); copy or download it again") from error


def _features(rows: Sequence[tuple[Any, ...]], path: Path) -> dict[Any, NDArray[np.float64]]:
    k = load_scheme(SCHEME).n_points
    points: dict[Any, NDArray[np.float64]] = {}
    for face_id, feature, x, y in rows:
        if not isinstance(feature, int) or not 1 <= feature <= k:
            raise AnnotationError(f"{path}: face {face_id} has feature {str(feature)[:20]} of 1-{k}; copy it again")
        position = _numbers([x, y], f"feature {feature} of face {face_id}", path)
        if position is not None:
            points.setdefault(face_id, np.full((k, 2), np.nan))[feature - 1] = position
    return points


def parse_aflw(path: Path) -> Iterator[AflwFace]:
    """Yield the faces of a database that have at least one feature, by photo and face id.

    Raises:
        AnnotationError: not such a database, or values in it that are not numbers.
    """
    faces, rows = _query(path)
    features = _features(rows, path)
    for face_id, name, width, height, *rest in faces:
        if face_id not in features:
            continue
        what = f"box of face {face_id}"
        box = _numbers(rest[:4], what, path)
        angles = _numbers(rest[4:], f"pose of face {face_id}", path)
        if not isinstance(name, str):
            raise AnnotationError(f"{path}: face {face_id} has no photo's name; copy it again")
        yield AflwFace(
            face_id,
            name,
            positive_size(width, height),
            features[face_id],
            Box(box[0], box[1], box[0] + box[2], box[1] + box[3]) if box else None,
            dict(zip(_ANGLES, map(math.degrees, angles), strict=True)) if angles else {},
        )


@with_own_scheme
def read_aflw(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read AFLW's database, by photo. `scheme` is not needed, subsets are flickr's folders.

    `boxes['dataset']` is the database's square, `group` the photo, `attributes` roll, pitch and yaw in degrees.

    Raises:
        AnnotationError: no database, a broken one, or a face without photo or with one of another size than stated.
        ImageError: a photo that cannot be opened.
    """
    path = next((root / name for name in DATABASES if (root / name).is_file()), None)
    if path is None:
        raise AnnotationError(
            f"{root / DATABASES[0]}: no such file; give the folder that holds aflw.sqlite and flickr/"
        )
    photos = next((root / name for name in _PHOTO_FOLDERS if (root / name).is_dir()), root)
    faces = list(parse_aflw(path))
    folders = {face.face_id: str(PurePosixPath(face.path).parent) for face in faces}
    wanted = check_subsets(path, subsets, sorted(set(folders.values())))
    records = []
    for face in faces:
        if folders[face.face_id] not in wanted:
            continue
        source = Path(f"{path} face {face.face_id}")
        known = ~np.isnan(face.points[:, 0])
        angles: dict[str, Attribute] = dict(face.angles)
        photo = photo_within(photos, face.path, source)
        record = make_record(
            name=str(face.face_id),
            image=photo,
            landmarks=face.points,
            scheme=SCHEME,
            source=source,
            known=known,
            boxes={} if face.box is None else {"dataset": face.box},
            group=str(PurePosixPath(face.path).with_suffix("")),
            subset=folders[face.face_id],
            size=None if face.size else image_size(photo),
            stated=face.size,
            attributes=angles,
        )
        records.append(record)
    return records
