"""WFLW's official lists: one line per face, 98 points, the detector's box, six attributes and the photo's path.

    WFLW_images/
    WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt, ..._test.txt
    x0 y0 ... x97 y97  x_min y_min x_max y_max  pose expression illumination make-up occlusion blur  path

Coordinates are 0-based. Subsets are `train`, `test` and the six official ones of the test faces: `test/largepose`,
`test/expression`, `test/illumination`, `test/makeup`, `test/occlusion`, `test/blur`; their lists hold the very faces
whose attribute is 1, so the attribute is read instead.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import check_subsets, photo_within, read_text
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError
from distill.geometry import Box, box_of_points
from distill.images import image_size
from distill.landmarks import load_scheme

SCHEME = "wflw98"
ATTRIBUTES = ("pose", "expression", "illumination", "makeup", "occlusion", "blur")
PHOTOS = "WFLW_images"
LISTS: Mapping[str, str] = MappingProxyType(
    {
        name: f"WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{name}.txt"
        for name in ("train", "test")
    }
)
# The official subsets of the test faces, by attribute.
_TESTS: Mapping[str, str] = MappingProxyType(
    {"test/largepose": "pose", **{f"test/{name}": name for name in ATTRIBUTES[1:]}}
)


class WflwFace(NamedTuple):
    """A line of a list: points (98, 2), 0-based pixels; box as corners; attributes by name; path below the photos."""

    points: NDArray[np.float32]
    box: Box
    attributes: Mapping[str, bool]
    path: str


def parse_wflw(text: str, source: Path) -> list[WflwFace]:
    """Parse a list; blank lines are skipped.

    Raises:
        AnnotationError: a line of another form, naming it.
    """
    k = load_scheme(SCHEME).n_points
    faces = []
    for number, line in enumerate(text.split("\n"), 1):
        # A photo's path may hold blanks.
        cells = line.strip().split(maxsplit=2 * k + 4 + len(ATTRIBUTES))
        if not cells:
            continue
        if len(cells) != 2 * k + 5 + len(ATTRIBUTES):
            raise AnnotationError(
                f"{source}: line {number} has {len(cells)} cells of 207; use list_98pt_rect_attr_*.txt"
            )
        flags = cells[2 * k + 4 : -1]
        if not set(flags) <= {"0", "1"}:
            raise AnnotationError(f"{source}: line {number} has attributes {' '.join(flags)[:40]}, not 0 or 1; fix it")
        try:
            with np.errstate(over="ignore"):  # becomes infinite, which the record refuses
                numbers = np.array(cells[: 2 * k + 4], np.float64).astype(np.float32)
        except ValueError as error:
            raise AnnotationError(f"{source}: line {number} has a cell that is no number ({error}); fix it") from error
        box = Box(*(float(value) for value in numbers[2 * k :]))
        attributes = {name: flag == "1" for name, flag in zip(ATTRIBUTES, flags, strict=True)}
        faces.append(WflwFace(numbers[: 2 * k].reshape(k, 2), box, attributes, cells[-1]))
    return faces


def _is_tight(faces: Sequence[WflwFace]) -> bool:
    """Whether every box is that of the points within the photo, as in copies made without the official boxes."""
    return all(np.abs(np.subtract(face.box, np.maximum(box_of_points(face.points), 0))).max() <= 1 for face in faces)


def _read_list(root: Path, name: str) -> list[FaceRecord]:
    path = root / LISTS[name]
    faces = parse_wflw(read_text(path), path)
    counts = Counter[str]()
    records = []
    if not faces:
        raise AnnotationError(f"{path}: no face in it; copy or download it again")
    tight = _is_tight(faces)
    for number, face in enumerate(faces, 1):
        photo = str(PurePosixPath(face.path).with_suffix("")) if face.path.strip("./") else face.path
        source = Path(f"{path} face {number}")
        image = photo_within(root / PHOTOS, face.path, source)
        record = make_record(
            name=f"{name}/{photo}#{counts[photo]}",
            image=image,
            landmarks=face.points,
            scheme=SCHEME,
            source=source,
            boxes={} if tight else {"dataset": face.box},
            group=photo,
            subset=name,
            size=image_size(image),
            attributes=face.attributes,
        )
        counts[photo] += 1
        records.append(record)
    return records


@with_own_scheme
def read_wflw(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read WFLW, in the order of its lists.

    `boxes['dataset']` is the list's box, left out where the whole list holds nothing but the tight boxes of the points.
    `group` is the photo.

    Raises:
        AnnotationError: no list, a broken one, or a face without photo.
        ImageError: a photo that cannot be opened.
    """
    present = [name for name in LISTS if (root / LISTS[name]).is_file()]
    if not present:
        raise AnnotationError(f"{root / LISTS['train']}: no such file; give the folder that holds WFLW_annotations")
    known = [*present, *(_TESTS if "test" in present else ())]
    wanted = present if subsets is None else check_subsets(root, subsets, known)
    records: dict[str, FaceRecord] = {}
    for name in present:
        filters = [_TESTS[subset] for subset in wanted if subset in _TESTS and name == "test"]
        if name not in wanted and not filters:
            continue
        for record in _read_list(root, name):
            if name in wanted or any(record.attributes[attribute] for attribute in filters):
                records[record.name] = record
    return list(records.values())
