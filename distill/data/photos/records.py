"""Record of one photo with all its faces, independent of the file format."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_POINTS = 5


@dataclass(frozen=True)
class PhotoRecord:
    """A photo and its faces.

    Attributes:
        name: unique within its data set, stable across machines (a relative path).
        image: the photo.
        boxes: (k, 4) float32, x0, y0, x1, y1 in pixels of the photo (0-based centres).
        ignored: (k,) bool; such a face is neither to be found nor background.
        points: (k, 5, 2) float32 in the order of scheme `five`, NaN where a face has none.
        group: photos that must stay on one side of a split share it.
    """

    name: str
    image: Path
    boxes: NDArray[np.float32]
    ignored: NDArray[np.bool_]
    points: NDArray[np.float32]
    group: str


def make_photo(
    name: str, image: Path, boxes: Any, ignored: Any = None, points: Any = None, group: str | None = None
) -> PhotoRecord:
    """Return a record from lists or arrays; by default no face is ignored, none has points, the photo is a group."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    count = len(boxes)
    ignored = np.zeros(count, bool) if ignored is None else np.asarray(ignored, bool).reshape(count)
    missing = np.full((count, N_POINTS, 2), np.nan, np.float32)
    points = missing if points is None else np.asarray(points, np.float32).reshape(count, N_POINTS, 2)
    return PhotoRecord(name, image, boxes, ignored, points, name if group is None else group)


def corners_of_pixels(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    """Return the corners of a box given as first pixel and size: it covers whole pixels, whose centres are integers."""
    return x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5


def hold_out(photos: list[PhotoRecord], every: int) -> tuple[list[PhotoRecord], list[PhotoRecord]]:
    """Return (the rest, the photos of every n-th group), with `every` as n; 0 holds out none."""
    order = {group: index for index, group in enumerate(dict.fromkeys(photo.group for photo in photos))}
    held = [bool(every) and order[photo.group] % every == every - 1 for photo in photos]
    rest = [photo for photo, out in zip(photos, held, strict=True) if not out]
    return rest, [photo for photo, out in zip(photos, held, strict=True) if out]


def with_groups(photos: list[PhotoRecord], groups: dict[str, str]) -> list[PhotoRecord]:
    """Return the photos with the groups that are known by the photo's name without suffix."""
    return [replace(photo, group=groups.get(str(Path(photo.name).with_suffix("")), photo.group)) for photo in photos]


# Half a side of the region that is ignored in a photo without labels, in pixels; beyond the edges of any photo.
_EVERYTHING = 1e5


def unlabelled_photo(name: str, image: Path) -> PhotoRecord:
    """Return a photo whose faces are not known: all of it is ignored, so that nothing counts as background either."""
    return make_photo(name, image, [[-_EVERYTHING, -_EVERYTHING, _EVERYTHING, _EVERYTHING]], [True])
