"""Unpacks the photos inside COFW's .mat files to PNGs beside them: `python -m distill.data.readers.cofw_photos DIR`."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from distill.data.readers.cofw import FILES, MAX_FACES, PHOTOS, mat_files, open_mat, photo_path
from distill.files import write_bytes
from distill.images import Photo

_MAX_PIXELS = 100_000_000


def _photo(cell: Any) -> Photo:
    """A cell's array, (3, w, h) or grey (w, h) -> (h, w, 3) uint8 RGB."""
    if cell.dtype != np.uint8 or cell.ndim not in (2, 3) or not 0 < cell.size <= 3 * _MAX_PIXELS:
        raise ValueError(f"a photo is {cell.shape} {cell.dtype}")
    pixels: Photo = np.transpose(cell[()])
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.shape[2] != 3:
        raise ValueError(f"a photo has {pixels.shape[2]} channels")
    return np.ascontiguousarray(pixels)


def unpack_cofw(root: Path, progress: Callable[[int], None] | None = None) -> int:
    """Write the photos of the .mat files in `root` as PNGs, skipping those that are there; return how many there are.

    `progress` is called with the number of photos done after each.

    Raises:
        AnnotationError: no such file, or a broken one. ConfigError: h5py is not installed.
    """
    done = 0
    for subset, path in mat_files(root).items():
        with open_mat(path) as file:
            cells = file[f"Is{FILES[subset][0]}"]
            if cells.size > MAX_FACES:
                raise ValueError(f"{cells.size} photos")
            for index, reference in enumerate(cells[()].ravel()):
                target = photo_path(root, subset, index)
                if not target.is_file():
                    _, content = cv2.imencode(".png", _photo(file[reference])[..., ::-1])
                    write_bytes(target, content.tobytes())
                done += 1
                if progress is not None:
                    progress(done)
    return done


def main(argv: Sequence[str]) -> int:
    """Unpack the photos of a folder; see the module's first lines."""
    from rich.progress import Progress

    from distill.errors import DistillError

    if len(argv) != 1:
        print("usage: python -m distill.data.readers.cofw_photos FOLDER", file=sys.stderr)
        return 2
    try:
        with Progress() as progress:
            task = progress.add_task("unpacking photos", total=None)
            count = unpack_cofw(Path(argv[0]), lambda done: progress.update(task, completed=done))
    except DistillError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{Path(argv[0]) / PHOTOS}: {count} photos")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
