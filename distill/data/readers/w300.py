"""Folders of photos with `.pts` files of the same stem: 300-W, Menpo, IVSFD, 300-VW.

300-W and Menpo keep both in one folder such as `helen/testset` or `Test/01_Indoor`; IVSFD has `afw/images` beside
`afw/labels`, 300-VW `001/imgs` beside `001/annot` (one folder per clip, whose frames share a group). The number of
points in a file decides its scheme, face by face: 68 (iBUG), 51 (IVSFD, without the jaw), 39 (Menpo's profiles). A
subset is a folder; `39pt`, or `FOLDER/39pt`, is those of its faces that have 39 points.

Optional in the root: `bounding_boxes.csv` (image, det_x0 ... det_y1, gt_x0 ... gt_y1, 1-based like the points) and
`near_duplicates.csv` (image_a, image_b: relative paths without extension of photos that show the same scene).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from distill.data.readers.pts import PtsFace, parse_pts_blocks, read_pts_text
from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import PHOTO_SUFFIXES, photos_by_stem, read_csv_rows
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError, suggest
from distill.geometry import Box
from distill.images import image_size
from distill.landmarks import load_scheme

SCHEMES = ("ibug68", "inner51", "menpo39")

# Folders of labels, and where their photos are.
_PHOTO_FOLDERS = {"labels": "images", "annot": "imgs"}
_POINTS = re.compile(r"(?:(?P<folder>.+)/)?(?P<count>\d+)pt")
# Columns of bounding_boxes.csv and the box source they hold.
_BOX_PREFIXES = {"det": "dataset", "gt": "gt"}
_CORNERS = ("x0", "y0", "x1", "y1")
# 123_2 is the second face of photo 123 (HELEN, AFW), image_012_1 likewise (iBUG).
_FACE_OF_PHOTO = re.compile(r"(?P<photo>(?:image_)?\d+)_\d{1,2}")


def _read_boxes(path: Path) -> dict[str, dict[str, Box]]:
    """Face boxes by image stem and source, 0-based."""
    columns = ["image", *(f"{prefix}_{corner}" for prefix in _BOX_PREFIXES for corner in _CORNERS)]
    boxes: dict[str, dict[str, Box]] = {}
    if not path.is_file():
        return boxes
    for line, row in read_csv_rows(path, columns):
        try:
            boxes[_stem(row["image"])] = {
                source: Box(*(float(row[f"{prefix}_{corner}"]) - 1 for corner in _CORNERS))
                for prefix, source in _BOX_PREFIXES.items()
            }
        except (ValueError, TypeError) as error:
            raise AnnotationError(f"{path}: line {line} must hold an image and eight numbers; fix it") from error
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
        rows = read_csv_rows(duplicates, ("image_a", "image_b")) if duplicates.is_file() else iter(())
        for line, row in rows:
            if not (row["image_a"] and row["image_b"]):
                raise AnnotationError(f"{duplicates}: line {line} does not name two images; fix it")
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


class _Info(NamedTuple):
    boxes: Mapping[str, Mapping[str, Box]]
    groups: Groups


def _stem_of(root: Path, annotation: Path) -> str:
    """`helen/testset/1_1`; the folder of labels or frames is left out: `afw/labels/1.pts` is `afw/1`."""
    path = annotation.relative_to(root).with_suffix("")
    folder = path.parent.parent if path.parent.name in _PHOTO_FOLDERS else path.parent
    return (folder / path.name).as_posix()


def _annotation_files(root: Path, subsets: Sequence[str] | None) -> dict[Path, int | None]:
    """The `.pts` files of the subsets, sorted, and how many points they must have to belong to one.

    Files whose name starts with a dot are other programs' leftovers.
    """
    everything = sorted(path for path in root.rglob("*.pts") if not path.name.startswith("."))
    if not everything:
        csv = ", or --data.format csv for its .csv files" if any(root.glob("*.csv")) else ""
        raise AnnotationError(
            f"{root}: no .pts file in it or below; give the folder that holds helen/, lfpw/, ...{csv}"
        )
    if subsets is None:
        return dict.fromkeys(everything)
    folders = sorted({str(PurePosixPath(_stem_of(root, path)).parent) for path in everything})
    chosen: dict[Path, int | None] = {}
    for subset in subsets:
        match = _POINTS.fullmatch(subset)
        folder = PurePosixPath((match["folder"] or ".") if match else subset)
        matching = [
            path for path in everything if PurePosixPath(path.relative_to(root).as_posix()).is_relative_to(folder)
        ]
        if not matching:
            raise AnnotationError(f"{root}: no subset '{subset}' with .pts files: {suggest(subset, folders)}")
        chosen |= dict.fromkeys(matching, int(match["count"]) if match else None)
    return dict(sorted(chosen.items()))


def _image_of(annotation: Path, photos: dict[Path, Mapping[str, Path]]) -> Path:
    folder = annotation.parent
    folder = folder.parent / _PHOTO_FOLDERS[folder.name] if folder.name in _PHOTO_FOLDERS else folder
    if folder not in photos:
        photos[folder] = photos_by_stem(folder)
    image = photos[folder].get(annotation.stem)
    if image is None:
        suffixes = ", ".join(PHOTO_SUFFIXES)
        where = "beside it" if folder == annotation.parent else f"in {folder}"
        raise AnnotationError(f"{annotation}: no photo {annotation.stem}.* {where} ({suffixes}); copy it there")
    return image


def _scheme_of(count: int, source: Path) -> str:
    """The scheme such files hold, by number of points."""
    counts = {load_scheme(name).n_points: name for name in SCHEMES}
    if count not in counts:
        known = " or ".join(f"{n} ({name})" for n, name in counts.items())
        raise AnnotationError(f"{source}: {count} points where a 300-W file has {known}; check the data set")
    return counts[count]


def _record(annotation: Path, face: PtsFace, image: Path, stem: str, name: str, info: _Info) -> FaceRecord:
    folder = str(PurePosixPath(stem).parent)
    return make_record(
        name=name,
        image=image,
        landmarks=face.points,
        scheme=_scheme_of(len(face.points), annotation),
        source=annotation,
        boxes=info.boxes.get(stem),
        group=folder if annotation.parent.name == "annot" else info.groups.of(stem),
        subset="" if folder == "." else folder,
        size=image_size(image),
    )


@with_own_scheme
def read_300w(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read a 300-W, Menpo, IVSFD or 300-VW folder, sorted by name.

    `boxes['gt']` is the official tight box, `boxes['dataset']` the official detector's where the CSV has one.

    Raises:
        AnnotationError: a file that is not in the expected format, a face without photo, or a box outside its photo.
        ImageError: a photo that cannot be opened.
    """
    info = _Info(_read_boxes(root / "bounding_boxes.csv"), Groups(root / "near_duplicates.csv"))
    photos: dict[Path, Mapping[str, Path]] = {}
    records = []
    for annotation, count in _annotation_files(root, subsets).items():
        faces = parse_pts_blocks(read_pts_text(annotation), annotation)
        if count is not None:
            faces = [face for face in faces if len(face.points) == count]
        stem = _stem_of(root, annotation)
        for number, face in enumerate(faces):
            name = stem if len(faces) == 1 else f"{stem}#{number}"
            image = _image_of(annotation, photos)
            records.append(_record(annotation, face, image, stem, name, info))
    if not records:
        raise AnnotationError(
            f"{root}: no face with as many points as {'+'.join(subsets or ())} names; check the subset"
        )
    return records
