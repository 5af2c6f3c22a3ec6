"""FaceSynthetics (Wood et al., arXiv 2109.15102): `000123.png` with `000123_ldmks.txt`, 70 lines `x y`.

Points 0-67 are those of 300-W, 68 and 69 the pupils (image left, image right). They are rendered, hence exact; all
are marked, hidden or not. `000123_seg.png` holds the parts of the face and is not read. Every photo is another person.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import check_subsets, read_text, to_number
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError
from distill.geometry import Points
from distill.images import image_size
from distill.landmarks import load_scheme

SCHEME = "faces70"
SUFFIX = "_ldmks.txt"

_MAX_BYTES = 100_000


def parse_ldmks(text: str, source: str | Path) -> Points:
    """Parse lines of `x y` to points (k, 2) float32, as they stand; `source` is the file named in errors.

    Raises:
        AnnotationError: a line that is not two finite numbers, or no line at all.
    """
    points = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            raise AnnotationError(f"{source}: line {number} is {line[:40]!r} where 'x y' belongs; download it again")
        points.append([to_number(word, f"line {number}", Path(source)) for word in words])
    if not points:
        raise AnnotationError(f"{source}: no points; download the file again")
    with np.errstate(over="ignore"):  # becomes infinite, which make_record refuses
        return np.array(points, np.float64).astype(np.float32)


@with_own_scheme
def read_face_synthetics(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read every `*_ldmks.txt` below a folder, sorted by name; a subset is a folder, `.` the root itself.

    Raises:
        AnnotationError: no or broken point files, or points without photo.
        ImageError: a photo that cannot be opened.
    """
    files = sorted(path for path in root.rglob(f"*{SUFFIX}") if not path.name.startswith("."))
    if not files:
        raise AnnotationError(f"{root}: no file *{SUFFIX} in it or below; give the folder that holds 000000{SUFFIX}")
    chosen = check_subsets(root, subsets, (path.parent.relative_to(root).as_posix() for path in files))
    k = load_scheme(SCHEME).n_points
    records = []
    for path in files:
        subset = path.parent.relative_to(root).as_posix()
        if subset not in chosen:
            continue
        image = path.with_name(path.name.removesuffix(SUFFIX) + ".png")
        if not image.is_file():
            raise AnnotationError(f"{path}: no photo {image.name} beside it; copy it there")
        points = parse_ldmks(read_text(path, _MAX_BYTES), path)
        if len(points) != k:
            raise AnnotationError(f"{path}: {len(points)} points where FaceSynthetics has {k}; download it again")
        name = image.relative_to(root).with_suffix("").as_posix()
        record = make_record(
            name=name, image=image, landmarks=points, scheme=SCHEME, source=path, subset=subset, size=image_size(image)
        )
        records.append(record)
    return records
