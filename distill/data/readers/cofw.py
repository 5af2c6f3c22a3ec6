"""COFW: `COFW_train_color.mat` (1,345 faces) and `COFW_test_color.mat` (507), Matlab v7.3, which is HDF5.

`IsTr`/`IsT` hold one photo per cell, `phisTr`/`phisT` 29 x, 29 y and 29 occlusion flags per face, `bboxesTr`/`bboxesT`
a detector's x, y, width, height; all of it 1-based, and every array stored with its axes reversed. The photos are
inside the file, so they are unpacked once to `photos/` beside it:

    python -m distill.data.readers.cofw_photos FOLDER
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import check_subsets
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError, ConfigError
from distill.geometry import Box
from distill.images import image_size
from distill.landmarks import load_scheme

SCHEME = "cofw29"
PHOTOS = "photos"
# Subset -> (ending of the variables' names, names of the file).
FILES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "train": ("Tr", ("COFW_train_color.mat", "COFW_train.mat")),
        "test": ("T", ("COFW_test_color.mat", "COFW_test.mat")),
    }
)
MAX_FACES = 100_000
_BROKEN = (
    OSError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    IndexError,
    MemoryError,
    OverflowError,
)


class CofwFaces(NamedTuple):
    """Annotations of a file: points (n, 29, 2), 0-based; occluded (n, 29); boxes as corners, 0-based."""

    points: NDArray[np.float32]
    occluded: NDArray[np.bool_]
    boxes: list[Box]


@contextmanager
def open_mat(path: Path) -> Iterator[Any]:
    """The HDF5 file; whatever its library raises on a broken one becomes an AnnotationError."""
    try:
        import h5py
    except ImportError as error:
        raise ConfigError("reading COFW needs h5py: pip install h5py") from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:100]
        raise AnnotationError(f"{path}: not COFW's v7.3 .mat file ({reason}); copy or download it again") from error


def _array(file: Any, name: str, rows: int) -> NDArray[np.float64]:
    """A numeric variable as (faces, rows), finite."""
    variable = file[name]
    if variable.ndim != 2 or variable.shape[0] != rows or not 0 < variable.shape[1] <= MAX_FACES:
        raise ValueError(f"{name} is {variable.shape}, not {rows} x faces")
    values = np.asarray(variable[()], np.float64).T
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds values that are not finite")
    return values


def parse_cofw(path: Path, ending: str) -> CofwFaces:
    """Read the annotations of a COFW file; `ending` is `Tr` or `T`, that of its variables' names.

    Raises:
        AnnotationError: not such a file. ConfigError: h5py is not installed.
    """
    k = load_scheme(SCHEME).n_points
    with open_mat(path) as file:
        phis = _array(file, f"phis{ending}", 3 * k)
        boxes = _array(file, f"bboxes{ending}", 4)
        if len(phis) != len(boxes) or file[f"Is{ending}"].size != len(phis):
            raise ValueError(f"{len(phis)} faces, {len(boxes)} boxes and {file[f'Is{ending}'].size} photos")
    with np.errstate(over="ignore"):  # becomes infinite, which the record refuses
        points = (np.stack([phis[:, :k], phis[:, k : 2 * k]], axis=-1) - 1).astype(np.float32)
    corners = [Box(x - 1, y - 1, x - 1 + w, y - 1 + h) for x, y, w, h in boxes.tolist()]
    return CofwFaces(points, phis[:, 2 * k :] > 0.5, corners)


def photo_path(root: Path, subset: str, index: int) -> Path:
    """Where the photo of a face (from 0) is unpacked to."""
    return root / PHOTOS / subset / f"{index + 1:04d}.png"


def _file_of(root: Path, subset: str) -> Path | None:
    return next((root / name for name in FILES[subset][1] if (root / name).is_file()), None)


def mat_files(root: Path) -> dict[str, Path]:
    files = {subset: path for subset in FILES if (path := _file_of(root, subset)) is not None}
    if not files:
        raise AnnotationError(
            f"{root / FILES['train'][1][0]}: no such file; give the folder that holds COFW's .mat files"
        )
    return files


@with_own_scheme
def read_cofw(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read COFW, subsets `train` and `test`; the photos must have been unpacked.

    `boxes['dataset']` is the file's box; occluded points have a position, but are not visible.

    Raises:
        AnnotationError: no such file, a broken one, or photos not unpacked. ConfigError: h5py is not installed.
    """
    present = mat_files(root)
    records = []
    for subset in check_subsets(root, subsets, present):
        faces = parse_cofw(present[subset], FILES[subset][0])
        for index, (points, occluded, box) in enumerate(zip(*faces, strict=True)):
            image = photo_path(root, subset, index)
            if not image.is_file():
                raise AnnotationError(
                    f"{image}: not unpacked; run `python -m distill.data.readers.cofw_photos {root}` once"
                )
            record = make_record(
                name=f"{subset}/{index + 1:04d}",
                image=image,
                landmarks=points,
                scheme=SCHEME,
                source=Path(f"{present[subset]} face {index + 1}"),
                visible=~occluded,
                boxes={"dataset": box},
                subset=subset,
                size=image_size(image),
            )
            records.append(record)
    return records
