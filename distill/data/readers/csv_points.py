"""CSV format for custom data sets, in either of two forms, beside or above the photos.

One line for each face (an empty cell is a point that is not annotated):

    image,x0,y0,x1,y1,...[,visible0,...][,box_x0,box_y0,box_x1,box_y1][,width,height][,subset][,group]

or one line for each point:

    image,point,x,y[,face][,visible][,width,height][,subset][,group]

`image` is a path from the folder; x and y are pixels, 0-based: the middle of the top-left pixel is (0, 0). `visible` is
0 for a hidden point whose position is estimated; `box` the detector's face box; `width` and `height` are compared with
the photo's; faces of one `group` (a person, a video) are kept on one side of a split, by default the faces of one
photo; `subset` (train, test) is else the file's name. With several faces in a photo the first form has several lines,
the second numbers them in `face`. Semicolons or tabs may separate the cells, with decimal commas as well.

`scheme.yaml` in the folder defines the points; without it the number of points must fit one known scheme.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.annotation_size import positive_size
from distill.data.readers.reader import FaceFault
from distill.data.readers.scheme_choice import choose_scheme
from distill.data.readers.tables import RowFault, check_subsets, photo_within, read_csv_rows, to_number
from distill.data.records import FaceRecord, make_record
from distill.data.spilled import Spilled
from distill.errors import AnnotationError, ConfigError, ImageError
from distill.geometry import Box
from distill.images import image_size
from distill.landmarks import load_scheme, scheme_name

SCHEME_FILE = "scheme.yaml"

_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
_SIZE = ("width", "height")
_LONG = ("image", "point", "x", "y")
_NUMBER = re.compile(r"[0-9]{1,4}")


class CsvFace(NamedTuple):
    """One face: points (k, 2), NaN where not marked, (k,) visible, and the optional columns, '' or None if absent."""

    image: str
    points: NDArray[np.float64]
    visible: NDArray[np.bool_]
    box: Box | None = None
    subset: str = ""
    group: str = ""
    size: tuple[int, int] | None = None


def _flag(text: str, source: Path) -> bool:
    if text not in ("0", "1", ""):
        raise AnnotationError(f"{source}: visible is {text[:20]!r}; write 1 (visible) or 0 (hidden)")
    return text != "0"


def _parse_point(x: str, y: str, what: str, source: Path) -> tuple[float, float]:
    """The two cells of a point; both empty is a point that is not annotated."""
    if not x and not y:
        return np.nan, np.nan
    return to_number(x, f"x of {what}", source), to_number(y, f"y of {what}", source)


def _box(row: dict[str, str], source: Path) -> Box | None:
    cells = [row.get(name, "") for name in _BOX]
    return Box(*(to_number(cell, "a box corner", source) for cell in cells)) if any(cells) else None


def _stated_size(row: dict[str, str], source: Path) -> tuple[int, int] | None:
    """Width and height of the annotated photo, where the row has both."""
    cells = [row.get(name, "") for name in _SIZE]
    return positive_size(*(round(to_number(cell, "width or height", source)) for cell in cells)) if all(cells) else None


def _rest(row: dict[str, str], source: Path) -> tuple[Box | None, str, str, tuple[int, int] | None]:
    """The optional columns, as the last fields of `CsvFace`."""
    return _box(row, source), row.get("subset", ""), row.get("group", ""), _stated_size(row, source)


def _read_wide(path: Path, k: int, on_fault: RowFault | None) -> Iterator[CsvFace]:
    for line, row in read_csv_rows(path, ["image", *(f"{axis}{i}" for i in range(k) for axis in "xy")], on_fault):
        try:
            face = _wide_face(row, k, Path(f"{path} line {line}"))
        except AnnotationError as error:
            if on_fault is None:
                raise
            on_fault(line, row, error)
            continue
        yield face


def _wide_face(row: dict[str, str], k: int, source: Path) -> CsvFace:
    points = np.array([_parse_point(row[f"x{i}"], row[f"y{i}"], f"point {i}", source) for i in range(k)])
    visible = np.array([_flag(row.get(f"visible{i}", ""), source) for i in range(k)])
    return CsvFace(row["image"], points, visible, *_rest(row, source))


def _read_long(path: Path) -> list[CsvFace]:
    points_by_face: dict[tuple[str, str], dict[int, tuple[float, float, bool]]] = {}
    about: dict[tuple[str, str], dict[str, str]] = {}
    for line, row in read_csv_rows(path, _LONG):
        source = Path(f"{path} line {line}")
        key = (row["image"], row.get("face", ""))
        if not _NUMBER.fullmatch(row["point"]):
            raise AnnotationError(f"{source}: point is {row['point'][:20]!r}; number the points from 0")
        index = int(row["point"])
        points = points_by_face.setdefault(key, {})
        if index in points:
            raise AnnotationError(f"{source}: point {index} of {key[0]} occurs twice; number its faces in column face")
        points[index] = (
            *_parse_point(row["x"], row["y"], f"point {index}", source),
            _flag(row.get("visible", ""), source),
        )
        about.setdefault(key, row)
    k = 1 + max((index for points in points_by_face.values() for index in points), default=-1)
    faces = []
    for key, points in points_by_face.items():
        xy = np.full((k, 2), np.nan)
        visible = np.ones(k, bool)
        for index, (x, y, is_visible) in points.items():
            xy[index] = (x, y)
            visible[index] = is_visible
        row = about[key]
        faces.append(CsvFace(key[0], xy, visible, *_rest(row, path)))
    return faces


def read_csv_faces(path: Path, on_fault: FaceFault | None = None) -> Sequence[CsvFace]:
    """Read one CSV of either form, faces in file order; with a line for each face, few of a million are in memory.

    Args:
        path: the file.
        on_fault: with a line for each face, is called with each that cannot be read, which is left out.

    Raises:
        AnnotationError: unreadable, another header, no face, or, without `on_fault`, cells that are no numbers.
    """
    skipped: list[AnnotationError] = []
    skip = None if on_fault is None else lambda line, row, error: skipped.append(error)
    first = next(read_csv_rows(path, ("image",), skip), None)
    if first is None:
        empty = AnnotationError(f"{path}: no face in it; write image,x0,y0,x1,y1,... and a line for each face")
        raise skipped[0] if skipped else empty
    columns = first[1]
    if set(_LONG) <= set(columns):
        return _read_long(path)
    k = sum(1 for name in columns if re.fullmatch(r"x[0-9]{1,4}", name))
    if not k:
        raise AnnotationError(f"{path}: no columns x0, y0, ... or point, x, y; move other tables out of the folder")

    def report(line: int, row: Mapping[str, str], error: AnnotationError) -> None:
        assert on_fault is not None
        on_fault(f"{path.name} line {line}", path.parent / row["image"] if row.get("image") else None, error)

    return Spilled(_read_wide(path, k, on_fault and report))


def _require_pixels(faces: Sequence[CsvFace], path: Path) -> None:
    """Refuse coordinates that are shares of the photo, which would be read as points of its first pixel."""
    count, low, high = 0, np.inf, -np.inf
    for face in faces:
        known = face.points[np.isfinite(face.points)]
        if len(known):
            count, low, high = count + len(known), min(low, known.min()), max(high, known.max())
    if count > 2 and low >= 0 and high <= 1:
        raise AnnotationError(
            f"{path}: every x and y lies in 0 ... 1; give pixels: x times the photo's width, y times its height"
        )


def _require_distinct(faces: Sequence[CsvFace], path: Path) -> None:
    """Refuse a face that is there twice; it would count twice, on both sides of a split as well."""
    known: set[bytes] = set()
    for face in faces:
        content = face.image.encode(errors="surrogatepass") + b"\0" + face.points.tobytes()
        key = hashlib.blake2b(content, digest_size=16).digest()
        if key in known and np.isfinite(face.points).any():
            raise AnnotationError(f"{path}: two equal faces in {face.image}; remove one of the two")
        known.add(key)


def _scheme_of(root: Path, k: int, requested: str | None, source: Path) -> str:
    own = root / SCHEME_FILE
    if own.is_file():
        name = scheme_name(str(own))
        if (expected := load_scheme(name).n_points) != k:
            raise AnnotationError(f"{source}: {k} points a face, but {SCHEME_FILE} has {expected}; correct one of them")
        return name
    try:
        return choose_scheme(k, requested, source)
    except ConfigError as error:
        raise ConfigError(f"{error}; or add {SCHEME_FILE} to the folder") from error


def iterate_csv_points(
    root: Path,
    subsets: Sequence[str] | None = None,
    scheme: str | None = None,
    on_fault: FaceFault | None = None,
) -> Iterator[FaceRecord]:
    """Yield the faces of every `*.csv` of a folder, in file order.

    Raises:
        AnnotationError: no or a broken CSV, a face that is there twice, another number of points than in `scheme.yaml`,
            or coordinates that are no pixels; without `on_fault`, a photo that is not there or a broken line of a face.
        ConfigError: a number of points that fits no scheme or several, and no `scheme.yaml`.
        ImageError: without `on_fault`, a photo that cannot be opened.
    """
    paths = sorted(root.glob("*.csv"))
    if not paths:
        raise AnnotationError(f"{root}: no .csv file in it; write image,x0,y0,x1,y1,... and a line for each face")
    tables = {path: faces for path in paths if (faces := read_csv_faces(path, on_fault))}
    known = (face.subset or path.stem for path, faces in tables.items() for face in faces)
    chosen = set(check_subsets(root, subsets, dict.fromkeys(known)))
    for path, faces in tables.items():
        actual = _scheme_of(root, len(faces[0].points), scheme, path)
        _require_pixels(faces, path)
        _require_distinct(faces, path)
        total = Counter(face.image for face in faces)
        counts = Counter[str]()
        for face in faces:
            index = counts[face.image]
            subset = face.subset or path.stem
            counts[face.image] += 1
            if subset not in chosen:
                continue
            name = face.image if total[face.image] == 1 else f"{face.image}#{index}"
            try:
                record = _record(root, face, name, subset, actual, path)
            except (AnnotationError, ImageError) as error:
                if on_fault is None:
                    raise
                on_fault(name, root / face.image, error)
                continue
            yield record


def _record(root: Path, face: CsvFace, name: str, subset: str, scheme: str, path: Path) -> FaceRecord:
    """Return the record of a face of a CSV.

    Raises:
        AnnotationError: its photo is not there, or its points make no sense.
        ImageError: its photo cannot be opened.
    """
    image = photo_within(root, face.image, path)
    return make_record(
        name=name,
        image=image,
        landmarks=face.points,
        known=np.isfinite(face.points).all(1),
        visible=face.visible,
        scheme=scheme,
        source=Path(f"{path} {name}"),
        boxes=None if face.box is None else {"dataset": face.box},
        group=face.group or face.image,
        subset=subset,
        size=None if face.size else image_size(image),
        stated=face.size,
    )


def read_csv_points(root: Path, subsets: Sequence[str] | None = None, scheme: str | None = None) -> list[FaceRecord]:
    """Return the faces of `iterate_csv_points`."""
    return list(iterate_csv_points(root, subsets, scheme))
