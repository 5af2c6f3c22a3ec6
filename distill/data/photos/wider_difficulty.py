"""Faces that WIDER FACE's official evaluation counts: `wider_{easy,medium,hard}_val.mat` beside the labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.photos.wider_boxes import read_mat, wider_cells
from distill.detection.wider_evaluation import DIFFICULTIES
from distill.errors import AnnotationError

_BOXES = "face_bbx_list"
_INDICES = "gt_list"


class WiderFaces(NamedTuple):
    """All faces of a photo in the official file.

    Attributes:
        boxes: (k, 4), x, y, width, height.
        counted: by difficulty, (k,) bool.
    """

    boxes: NDArray[np.float64]
    counted: Mapping[str, NDArray[np.bool_]]


def read_difficulties(labels: Path) -> dict[str, WiderFaces]:
    """Return the faces of every photo `EVENT/NAME.jpg`, with those that each difficulty counts.

    Args:
        labels: `wider_face_val.mat`; the files of the difficulties lie beside it.

    Returns:
        by the name of the photo; empty where none of these files is there.

    Raises:
        AnnotationError: some of the files are missing, or one is broken.
    """
    paths = {name: labels.with_name(f"wider_{name}_val.mat") for name in DIFFICULTIES}
    missing = [path for path in paths.values() if not path.is_file()]
    if len(missing) == len(paths):
        return {}
    if missing:
        raise AnnotationError(f"{missing[0]}: missing, although other difficulties are there; copy it as well")
    boxes = dict(wider_cells(read_mat(labels, _BOXES), _BOXES))
    indices = {name: dict(wider_cells(read_mat(path, _INDICES), _INDICES)) for name, path in paths.items()}
    faces = {}
    for photo, values in boxes.items():
        rows = np.asarray(values, np.float64).reshape(-1, 4)
        counted = {name: _flags(indices[name].get(photo, ()), len(rows), photo, paths[name]) for name in paths}
        faces[photo] = WiderFaces(rows, counted)
    return faces


def _flags(indices: Any, count: int, photo: str, path: Path) -> NDArray[np.bool_]:
    """Return which faces are named by indices that count from 1."""
    chosen = np.asarray(indices, np.int64).reshape(-1)
    if len(chosen) and not (chosen.min() >= 1 and chosen.max() <= count):
        raise AnnotationError(f"{path}: names a face of {photo} that wider_face_val.mat does not have; copy both again")
    flags = np.zeros(count, bool)
    flags[chosen - 1] = True
    return flags
