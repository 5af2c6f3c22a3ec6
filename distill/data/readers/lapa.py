"""LaPa and JD-landmark: 106 points per photo in a text file, `106` on the first line, then `x y`, 0-based.

    LaPa: {train,val,test}/images/NAME.jpg, {train,val,test}/landmarks/NAME.txt
    JD:   {AFW,HELEN,IBUG,LFPW,...}/picture/NAME.jpg, .../landmark/NAME.jpg.txt

The two number the same points differently; the names of the folders determine which applies.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np

from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import PHOTO_SUFFIXES, photos_by_stem, read_text
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError, suggest
from distill.geometry import Points
from distill.images import image_size
from distill.landmarks import load_scheme

# Name of the folder of labels -> (name of the folder of photos, scheme).
LAYOUTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"landmarks": ("images", "lapa106"), "landmark": ("picture", "jd106")}
)
_MAX_BYTES = 100_000
# 10773046825_0 is the first face of that photo.
_FACE_OF_PHOTO = re.compile(r"(?P<photo>.+)_\d{1,2}")


def parse_lapa(text: str, source: str | Path) -> Points:
    """Parse a LaPa landmark file to points (k, 2), 0-based pixels, k as given on its first line.

    Raises:
        AnnotationError: a number of lines that differs from the first line, or lines that are not two finite numbers.
    """
    lines = [line.strip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or not lines[0].isdecimal() or len(lines[0]) > 4:
        raise AnnotationError(f"{source}: line 1 is not the number of points; copy the file again")
    if len(lines) != int(lines[0]) + 1:
        raise AnnotationError(f"{source}: {len(lines) - 1} points where line 1 says {lines[0]}; copy the file again")
    points = []
    for number, line in enumerate(lines[1:], 2):
        try:
            x, y = (float(cell) for cell in line.split())
        except ValueError as error:
            raise AnnotationError(f"{source}: line {number} is {line[:40]!r}, not 'x y'; fix it") from error
        if not abs(x) + abs(y) < 1e6:  # also catches NaN and infinity
            raise AnnotationError(f"{source}: line {number} is {line[:40]!r}, not finite coordinates; fix it")
        points.append((x, y))
    return np.array(points, np.float32).reshape(-1, 2)


def _files(root: Path, subsets: Sequence[str] | None) -> list[Path]:
    files = [path for path in sorted(root.rglob("*.txt")) if path.parent.name in LAYOUTS and path.name[0] != "."]
    if not files:
        raise AnnotationError(
            f"{root}: no landmarks/*.txt in it or below; give the folder that holds train/, val/, test/"
        )
    if subsets is None:
        return files
    folders = {path: PurePosixPath(path.parent.parent.relative_to(root).as_posix()) for path in files}
    names = sorted({str(folder) for folder in folders.values()})
    for subset in subsets:
        if not any(folder.is_relative_to(subset) for folder in folders.values()):
            raise AnnotationError(f"{root}: no subset '{subset}': {suggest(subset, names)}")
    return [path for path in files if any(folders[path].is_relative_to(subset) for subset in subsets)]


@with_own_scheme
def read_lapa(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read LaPa or JD-landmark, sorted by name.

    A subset is a folder: LaPa's `train`, `val`, `test`. Faces of one photo share a `group`.

    Raises:
        AnnotationError: no landmark file, a broken one, or a face without photo.
    """
    photos: dict[Path, Mapping[str, Path]] = {}
    records = []
    for path in _files(root, subsets):
        photo_folder, scheme_name = LAYOUTS[path.parent.name]
        folder = path.parent.parent / photo_folder
        if folder not in photos:
            photos[folder] = photos_by_stem(folder)
        stem = path.stem if Path(path.stem).suffix.lower() not in PHOTO_SUFFIXES else Path(path.stem).stem
        if stem not in photos[folder]:
            raise AnnotationError(f"{path}: no photo {stem}.* in {folder} ({', '.join(PHOTO_SUFFIXES)}); copy it there")
        points = parse_lapa(read_text(path, _MAX_BYTES), path)
        if len(points) != load_scheme(scheme_name).n_points:
            raise AnnotationError(f"{path}: {len(points)} points where {scheme_name} has 106; check the data set")
        subset = path.parent.parent.relative_to(root).as_posix()
        match = _FACE_OF_PHOTO.fullmatch(stem)
        record = make_record(
            name=f"{subset}/{stem}" if subset != "." else stem,
            image=photos[folder][stem],
            landmarks=points,
            scheme=scheme_name,
            source=path,
            group=match["photo"] if match else stem,
            subset="" if subset == "." else subset,
            size=image_size(photos[folder][stem]),
        )
        records.append(record)
    return records
