"""One annotated face, whatever file it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.errors import AnnotationError
from distill.geometry import Box, Points, box_of_points
from distill.landmarks import convert, load_scheme
from distill.landmarks.convert import convert_visibility


@dataclass(frozen=True)
class FaceRecord:
    """A face in a photo.

    Attributes:
        name: unique within its data set, stable across machines (a relative path).
        image: the photo.
        landmarks: (k, 2) float32, pixels of the photo (0-based centres).
        visible: (k,) bool.
        scheme: what the points mean.
        boxes: face boxes by source, `gt` (tight box of all annotated points) and, where known, `det` (a detector's).
        group: faces that must stay on one side of a split share it (same photo, near duplicates).
        subset: the folder or list of the data set it belongs to.
    """

    name: str
    image: Path
    landmarks: Points
    visible: NDArray[np.bool_]
    scheme: str
    boxes: Mapping[str, Box]
    group: str
    subset: str

    def in_scheme(self, scheme: str) -> "FaceRecord":
        """Return the same face with its points converted; boxes stay, so crops do not depend on the scheme."""
        if scheme == self.scheme:
            return self
        return FaceRecord(
            name=self.name,
            image=self.image,
            landmarks=convert(self.landmarks, self.scheme, scheme),
            visible=convert_visibility(self.visible, self.scheme, scheme),
            scheme=scheme,
            boxes=self.boxes,
            group=self.group,
            subset=self.subset,
        )


def _check_inside(points: Points, boxes: Mapping[str, Box], size: tuple[int, int], source: Path) -> None:
    width, height = size
    for kind, box in boxes.items():
        if box.x1 <= -0.5 or box.y1 <= -0.5 or box.x0 >= width - 0.5 or box.y0 >= height - 0.5:
            corners = tuple(round(v, 1) for v in box)
            raise AnnotationError(f"{source}: {kind} box {corners} lies outside the {width}x{height} photo; mend it")
    # Twice the middle half of the points is about the size of the face, and one stray point does not stretch it.
    allowed = 2 * float(np.subtract(*np.percentile(points, [75, 25], axis=0)).max())
    beyond = np.maximum(-points, points - np.array([width - 1, height - 1])).max(1)
    worst = int(beyond.argmax())
    if beyond[worst] > allowed or (beyond > 0.5).mean() > 0.5:
        where = tuple(round(float(v), 1) for v in points[worst])
        raise AnnotationError(f"{source}: point {worst} at {where} is outside the {width}x{height} photo; mend it")


def make_record(
    *,
    name: str,
    image: Path,
    landmarks: NDArray[np.floating],
    scheme: str,
    source: Path,
    visible: NDArray[np.bool_] | None = None,
    boxes: Mapping[str, Box] | None = None,
    group: str | None = None,
    subset: str = "",
    size: tuple[int, int] | None = None,
) -> FaceRecord:
    """Build a record and check what every reader must check.

    Points may lie a little outside the photo, as annotators mark a cut-off chin; `size` (width, height of the photo)
    makes sure that this is all, and that the boxes show something of it. `source` is the file named in errors.

    Raises:
        AnnotationError: wrong number of points or visibility flags, NaN or infinite coordinates, a box without area,
            a box outside the photo, or points further outside it than the face is large.
    """
    k = load_scheme(scheme).n_points
    with np.errstate(over="ignore"):  # becomes infinite, which is refused below
        points = np.asarray(landmarks, np.float32)
    if points.shape != (k, 2):
        raise AnnotationError(f"{source}: {points.shape[0]} points where scheme {scheme} has {k}; name another scheme")
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(1))[0])
        raise AnnotationError(f"{source}: point {bad} is {points[bad].tolist()}; mend or drop this face")
    seen = np.ones(k, bool) if visible is None else np.asarray(visible, bool)
    if seen.shape != (k,):
        raise AnnotationError(f"{source}: {seen.size} visibility flags for {k} points; give one for each or none")
    boxes = {"gt": box_of_points(points), **(boxes or {})}
    for kind, box in boxes.items():
        if not (np.isfinite(box).all() and box.width > 0 and box.height > 0):
            raise AnnotationError(f"{source}: {kind} box {tuple(round(v, 1) for v in box)} has no area; mend it")
    if size is not None:
        _check_inside(points, boxes, size, source)
    return FaceRecord(
        name=name,
        image=image,
        landmarks=points,
        visible=seen,
        scheme=scheme,
        boxes=boxes,
        group=group or name,
        subset=subset,
    )
