"""MUCT (Milborrow, Morkel, Nicolls 2010): `muct-landmarks/muct76-opencv.csv` and the photos in `jpg/`.

A row is `name,tag,x00,y00,...,x75,y75`, 0-based, origin top left; (0, 0) is a point that is not annotated.
`i123qa-mn` is person 123 in light q before camera a, male, no glasses; `ir123qa-mn` the same mirrored, which has a row
but no photo in the published set. The published CSV ends each row after 76 points; copies exist whose header names 76
and whose rows hold the first 68: what is not there counts as not marked.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import check_subsets, photos_by_stem, read_text, to_number
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError
from distill.images import image_size
from distill.landmarks import load_scheme

SCHEME = "muct76"
CSV = "muct-landmarks/muct76-opencv.csv"
# Points 68-75, between the corners and the middle of the eyelids, were added to a first set of 68.
FIRST_POINTS = 68

_NAME = re.compile(r"i(?P<mirror>r?)(?P<person>\d{3})(?P<light>[q-z])(?P<camera>[a-e])-(?P<sex>[fm])(?P<glasses>[ng])")
_SAME_GROUP = {"248": "247"}  # identical siblings (MUCT's README): they must stay on one side of a split


def _header(k: int) -> list[str]:
    return ["name", "tag", *(f"{axis}{i:02d}" for i in range(k) for axis in "xy")]


def parse_muct(text: str, source: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield (name, points (76, 2), 0-based) of each row; points not marked, or not in the row, are NaN.

    Raises:
        AnnotationError: another header, rows of unlike or other length, or something that is no number.
    """
    k = load_scheme(SCHEME).n_points
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if next(reader, None) != _header(k):
            raise AnnotationError(f"{source}: the first line is not 'name,tag,x00,y00,...'; use muct76-opencv.csv")
        length = 0
        for row in reader:
            length = length or len(row)
            if len(row) != length or (length - 2) / 2 not in (FIRST_POINTS, k):
                wanted = length if len(row) != length else len(_header(k))
                raise AnnotationError(f"{source}: line {reader.line_num} has {len(row)} of {wanted} cells; copy it")
            points = np.full((k, 2), np.nan)
            numbers = [to_number(cell, f"line {reader.line_num}", source) for cell in row[2:]]
            points[: (length - 2) // 2] = np.array(numbers).reshape(-1, 2)
            points[(points == 0).all(1)] = np.nan
            yield row[0], points
    except csv.Error as error:
        raise AnnotationError(f"{source}: line {reader.line_num} is not CSV ({error}); copy it again") from error


def _has_photo(name: str, match: re.Match[str], photos: Mapping[str, Path], source: Path) -> bool:
    """Whether to read a row: photos of a camera, or of mirrored rows, may all be missing, but not single ones."""
    if name in photos:
        return True
    camera = match["camera"]
    others = any(photo[5:6] == camera for photo in photos if not photo.startswith("ir"))
    if not match["mirror"] and others:
        raise AnnotationError(f"{source}: no photo {name}.* though others of camera {camera} are there; copy it again")
    return False


def _record(root: Path, name: str, match: re.Match[str], points: NDArray[np.floating], image: Path) -> FaceRecord:
    return make_record(
        name=name,
        image=image,
        landmarks=points,
        known=np.isfinite(points).all(1),
        scheme=SCHEME,
        source=Path(f"{root / CSV} {name}"),
        group=_SAME_GROUP.get(match["person"], match["person"]),
        subset=match["camera"],
        size=image_size(image),
        attributes={
            "person": match["person"],
            "camera": match["camera"],
            "light": match["light"],
            "sex": match["sex"],
            "glasses": match["glasses"] == "g",
            "mirrored": bool(match["mirror"]),
        },
    )


@with_own_scheme
def read_muct(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read the photos that are there, in the order of the CSV; a subset is a camera, `a` (frontal) to `e`.

    Raises:
        AnnotationError: no or a broken CSV, no photos, or single photos missing.
        ImageError: a photo that cannot be opened.
    """
    path = root / CSV
    photos = photos_by_stem(root / "jpg")
    rows = []
    for name, points in parse_muct(read_text(path), path):
        match = _NAME.fullmatch(name)
        if match is None:
            raise AnnotationError(f"{path}: name {name[:40]!r} is not like 'i000qa-fn'; use muct76-opencv.csv as it is")
        if _has_photo(name, match, photos, path):
            rows.append((name, match, points))
    if not rows:
        raise AnnotationError(f"{root / 'jpg'}: no photo of any row of {path.name}; unpack muct-?-jpg-v1.tar.gz there")
    chosen = check_subsets(root, subsets, sorted({match["camera"] for _, match, _ in rows}))
    return [_record(root, *row, photos[row[0]]) for row in rows if row[1]["camera"] in chosen]
