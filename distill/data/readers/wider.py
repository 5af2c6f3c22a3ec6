"""WIDER FACE with the five points of RetinaFace: `train/label.txt` and `train/images/`, `val/` likewise.

    # 0--Parade/0_Parade_Parade_0_904.jpg
    361 98 263 339 424.143 251.656 0.0 547.134 232.571 0.0 ... 561.978 342.839 0.0 0.89
    78 221 7 8 -1.0 -1.0 -1.0 ... -1.0 0.2

A face is `x y width height`, then for each point `x y flag` (0 visible, 1 hidden, -1 absent), then a number that is the
higher the sharper; or the four numbers alone. Faces without points have labels `none`: they train detectors, not
landmark networks. The hand-made box is `gt`, as the tight box of five points would show no face.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import check_subsets, photo_within, read_text, to_number
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError
from distill.geometry import Box
from distill.images import image_size

SCHEME = "five"
FILE = "label.txt"

_N_POINTS = 5
_LENGTHS = (4, 4 + 3 * _N_POINTS + 1)


class WiderFace(NamedTuple):
    """One line: box (x, y, width, height), points (5, 2) with NaN where absent, visibility flags, sharpness or None."""

    box: tuple[float, float, float, float]
    points: NDArray[np.float64]
    visible: NDArray[np.bool_]
    sharpness: float | None


def _parse_face(line: str, number: int, source: Path) -> WiderFace:
    words = line.split()
    if len(words) not in _LENGTHS:
        raise AnnotationError(f"{source}: line {number} has {len(words)} numbers, not 4 or {_LENGTHS[1]}; copy it")
    values = [to_number(word, f"line {number}", source) for word in words]
    x, y, width, height = values[:4]
    if len(values) == _LENGTHS[0]:
        return WiderFace((x, y, width, height), np.full((_N_POINTS, 2), np.nan), np.zeros(_N_POINTS, bool), None)
    triples = np.array(values[4:-1]).reshape(_N_POINTS, 3)
    flags = triples[:, 2]
    if not np.isin(flags, (-1, 0, 1)).all():
        raise AnnotationError(f"{source}: line {number} has a point flag that is not -1, 0 or 1; copy it again")
    points = np.where((flags >= 0)[:, None], triples[:, :2], np.nan)
    return WiderFace((x, y, width, height), points, flags == 0, values[-1])


def parse_label(text: str, source: Path) -> Iterator[tuple[str, list[WiderFace]]]:
    """Yield (photo, its faces) in file order; raises AnnotationError for anything else."""
    photo: str | None = None
    faces: list[WiderFace] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            if photo is not None:
                yield photo, faces
            photo = line[1:].strip()
            faces = []
        elif line.strip():
            if photo is None:
                raise AnnotationError(f"{source}: line {number} comes before any '# photo'; use label.txt as it is")
            faces.append(_parse_face(line, number, source))
    if photo is None:
        raise AnnotationError(f"{source}: no line '# photo'; use the label.txt of retinaface_gt_v1.1")
    yield photo, faces


def _record(name: str, photo: str, image: Path, face: WiderFace, subset: str, size: tuple[int, int]) -> FaceRecord:
    x, y, width, height = face.box
    known = np.isfinite(face.points).all(1)
    return make_record(
        name=name,
        image=image,
        landmarks=face.points if known.any() else None,
        known=known if known.any() else None,
        visible=face.visible if known.any() else None,
        scheme=SCHEME,
        source=Path(f"{subset}/{FILE} {photo}"),
        # The box covers whole pixels, from the left edge of the first to the right edge of the last.
        boxes={"gt": Box(x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5)},
        group=photo,
        subset=subset,
        size=size,
        attributes={} if face.sharpness is None else {"sharpness": face.sharpness},
    )


@with_own_scheme
def read_wider(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read the faces in file order; a subset is a folder with a `label.txt`. Boxes without area are skipped.

    WIDER FACE itself marks a handful of faces with a width or height of 0; these are skipped.

    Raises:
        AnnotationError: no or a broken `label.txt`, or a photo that is not there.
        ImageError: a photo that cannot be opened.
    """
    known = [path.parent.name for path in sorted(root.glob(f"*/{FILE}"))]
    if not known:
        raise AnnotationError(f"{root}: no */{FILE} in it; give the folder that holds train/{FILE} and train/images/")
    records = []
    for subset in check_subsets(root, subsets, known):
        path = root / subset / FILE
        for photo, faces in parse_label(read_text(path), path):
            image = photo_within(root / subset / "images", photo, path)
            size = image_size(image)
            stem = str(Path(photo).with_suffix("").as_posix())
            whole = [(index, face) for index, face in enumerate(faces) if face.box[2] > 0 and face.box[3] > 0]
            records += [_record(f"{subset}/{stem}#{i}", photo, image, face, subset, size) for i, face in whole]
    if not records:
        raise AnnotationError(f"{path}: no face with a box of any area; use the {FILE} of retinaface_gt_v1.1")
    return records
