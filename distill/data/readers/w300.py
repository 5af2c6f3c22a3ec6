"""The 300-W layout: photos with `.pts` files of the same stem in folders such as `helen/testset` or `Test/01_Indoor`.

Optional in the root: `bounding_boxes.csv` (image, det_x0 ... det_y1, gt_x0 ... gt_y1, 1-based like the points) and
`near_duplicates.csv` (image_a, image_b: relative paths without extension of photos that show the same scene).
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from distill.data.readers.pts import read_pts
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError, suggest
from distill.geometry import Box
from distill.images import image_size
from distill.landmarks import load_scheme

SCHEMES = ("ibug68", "inner51")

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_CORNERS = ("x0", "y0", "x1", "y1")
# 123_2 is the second face of photo 123 (HELEN, AFW), image_012_1 likewise (iBUG).
_FACE_OF_PHOTO = re.compile(r"(?P<photo>(?:image_)?\d+)_\d{1,2}")


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV that must have these columns; nothing when there is no such file."""
    if not path.is_file():
        return
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise AnnotationError(f"{path}: no column {missing[0]!r}; the first line must be {','.join(columns)}")
            for row in reader:
                yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise AnnotationError(f"{path}: not a readable CSV file ({error}); copy or download it again") from error


def _read_boxes(path: Path) -> dict[str, dict[str, Box]]:
    """Face boxes by image stem and kind, 0-based."""
    columns = ["image", *(f"{kind}_{corner}" for kind in ("det", "gt") for corner in _CORNERS)]
    boxes = {}
    for line, row in _rows(path, columns):
        try:
            boxes[_stem(row["image"])] = {
                kind: Box(*(float(row[f"{kind}_{corner}"]) - 1 for corner in _CORNERS)) for kind in ("det", "gt")
            }
        except (ValueError, TypeError) as error:
            raise AnnotationError(f"{path}: line {line} must hold an image and eight numbers; mend it") from error
    return boxes


def _stem(image: str) -> str:
    return str(PurePosixPath(image).with_suffix("")) if image else ""


def _photo(stem: str) -> str:
    """The photo a face was cut from: its faces share it, and their reflections, which some copies hold as *_mirror."""
    path = PurePosixPath(stem)
    original = path.name.removesuffix("_mirror")
    match = _FACE_OF_PHOTO.fullmatch(original)
    return str(path.with_name(match["photo"] if match else original))


class Groups:
    """Which photos show the same scene. A group's name depends only on the CSV, so separate reads agree on it."""

    def __init__(self, duplicates: Path) -> None:
        self._parent: dict[str, str] = {}
        for line, row in _rows(duplicates, ("image_a", "image_b")):
            if not (row["image_a"] and row["image_b"]):
                raise AnnotationError(f"{duplicates}: line {line} does not name two images; mend it")
            first, second = sorted(self._root(_photo(row[column])) for column in ("image_a", "image_b"))
            if first != second:
                self._parent[second] = first

    def _root(self, photo: str) -> str:
        while photo in self._parent:
            photo = self._parent[photo]
        return photo

    def of(self, stem: str) -> str:
        """Return the group of an image, given its relative path without extension."""
        return self._root(_photo(stem))


def _annotation_files(root: Path, subsets: Sequence[str] | None) -> list[Path]:
    """The `.pts` files of the subsets, sorted; files whose name starts with a dot are other programs' leftovers."""
    everything = sorted(path for path in root.rglob("*.pts") if not path.name.startswith("."))
    if not everything:
        raise AnnotationError(f"{root}: no .pts file in it or below; give the folder that holds helen/, lfpw/, ...")
    if subsets is None:
        return everything
    folders = sorted({path.parent.relative_to(root).as_posix() for path in everything})
    chosen: list[Path] = []
    for subset in subsets:
        folder = PurePosixPath(subset)
        found = [path for path in everything if PurePosixPath(path.relative_to(root).as_posix()).is_relative_to(folder)]
        if not found:
            raise AnnotationError(f"{root}: no subset '{subset}' with .pts files: {suggest(subset, folders)}")
        chosen += found
    return sorted(set(chosen))


def _image_of(annotation: Path, images: Mapping[str, Path]) -> Path:
    image = images.get(annotation.stem)
    if image is None:
        kinds = ", ".join(_IMAGE_SUFFIXES)
        raise AnnotationError(f"{annotation}: no photo {annotation.stem}.* beside it ({kinds}); copy it there")
    return image


def _scheme_of(count: int, source: Path) -> str:
    """The scheme such files hold, by number of points."""
    counts = {load_scheme(name).n_points: name for name in SCHEMES}
    if count not in counts:
        known = " or ".join(f"{n} ({name})" for n, name in counts.items())
        raise AnnotationError(f"{source}: {count} points where a 300-W file has {known}; check the data set")
    return counts[count]


def read_300w(root: Path, subsets: Sequence[str] | None = None, scheme: str | None = None) -> list[FaceRecord]:
    """Read a 300-W folder, sorted by name; `scheme` is not needed, the files say how many points they hold.

    `boxes['gt']` is the official tight box, `boxes['det']` the official detector's where the CSV has one.

    Raises:
        AnnotationError: a file that is not what it claims to be, a face without photo, or a box outside its photo.
        ImageError: a photo that cannot be opened.
    """
    del scheme
    boxes, groups = _read_boxes(root / "bounding_boxes.csv"), Groups(root / "near_duplicates.csv")
    images: dict[Path, dict[str, Path]] = {}
    records = []
    for annotation in _annotation_files(root, subsets):
        folder = annotation.parent
        if folder not in images:
            found = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in _IMAGE_SUFFIXES)
            images[folder] = {path.stem: path for path in found}
        image, points = _image_of(annotation, images[folder]), read_pts(annotation)
        stem = annotation.relative_to(root).with_suffix("").as_posix()
        record = make_record(
            name=stem,
            image=image,
            landmarks=points,
            scheme=_scheme_of(len(points), annotation),
            source=annotation,
            boxes=boxes.get(stem),
            group=groups.of(stem),
            subset=folder.relative_to(root).as_posix(),
            size=image_size(image),
        )
        records.append(record)
    return records
