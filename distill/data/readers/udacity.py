"""YouTube Faces frames as Udacity's P1_Facial_Keypoints has them: `training/NAME.jpg` beside
`training_frames_keypoints.csv`, the file name first, then x0, y0 ... x67, y67, 0-based.

`Ann_Lee_12.jpg` is frame 2 of video 1 of a person; `Ann_Lee_12t.jpg` a further frame of it. All faces of a person
share a group: frames of one video look alike, and Udacity's own split has the same persons on both sides.
The points come from a detector, rounded to pixels: they are `weak` labels.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import check_subsets, photo_within, read_csv_rows, to_number
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError
from distill.images import image_size
from distill.landmarks import load_scheme

SCHEME = "ibug68"
SUFFIX = "_frames_keypoints.csv"

_NAME = re.compile(r"(?P<person>.+)_(?P<video>\d)(?P<frame>\d)t?")


def _columns(k: int) -> list[str]:
    """The header after the empty name of the first column: 0, 1, ... one for each number."""
    return [str(i) for i in range(2 * k)]


def read_frames(path: Path) -> list[tuple[str, NDArray[np.float64]]]:
    """Return (file name, points (k, 2), 0-based) of every row; raises AnnotationError."""
    columns, rows = _columns(load_scheme(SCHEME).n_points), []
    for line, row in read_csv_rows(path, ["", *columns]):
        numbers = [to_number(row[name], f"line {line}", path) for name in columns]
        rows.append((row[""], np.array(numbers, np.float64).reshape(-1, 2)))
    return rows


@with_own_scheme
def read_udacity(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read the frames in the order of the CSV files; a subset is a CSV's folder, `training` or `test`.

    Raises:
        AnnotationError: no or a broken CSV, or a row without photo.
        ImageError: a photo that cannot be opened.
    """
    known = [path.name.removesuffix(SUFFIX) for path in sorted(root.glob(f"*{SUFFIX}"))]
    if not known:
        raise AnnotationError(f"{root}: no file *{SUFFIX} in it; give the folder that holds training{SUFFIX}")
    records = []
    for subset in check_subsets(root, subsets, known):
        path = root / f"{subset}{SUFFIX}"
        for file, points in read_frames(path):
            image = photo_within(root, f"{subset}/{file}", path)
            match = _NAME.fullmatch(image.stem)
            attributes = {"person": match["person"], "video": match["video"]} if match else {}
            record = make_record(
                name=f"{subset}/{image.stem}",
                image=image,
                landmarks=points,
                scheme=SCHEME,
                source=Path(f"{path} {file}"),
                group=match["person"] if match else image.stem,
                subset=subset,
                size=image_size(image),
                attributes=attributes,
                labels="weak",
            )
            records.append(record)
    return records
