"""Record of one annotated face, independent of the file format."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from distill.data.annotation_size import fit_to_photo
from distill.errors import AnnotationError
from distill.geometry import Box, Points, box_of_points
from distill.landmarks import convert, load_scheme, scheme_name
from distill.landmarks.convert import convert_visibility

_LOG = logging.getLogger(__name__)
Attribute = bool | float | str
# hand: annotated or checked by a person, or rendered; weak: predicted by a model; none: no points.
Labels = Literal["hand", "weak", "none"]


@dataclass(frozen=True)
class FaceRecord:
    """A face in a photo.

    Attributes:
        name: unique within its data set, stable across machines (a relative path).
        image: the photo.
        landmarks: (k, 2) float32, pixels of the photo (0-based centres).
        visible: (k,) bool; an occluded point has a position, but is not visible.
        scheme: declared name of the landmark scheme of the points.
        boxes: face boxes by source: `gt` (tight box of all annotated points), where known `dataset` (of a
            detector, as the data have it) and, where it was run, `detector` (of `FaceDetector`).
        group: faces that must stay on one side of a split share it (same photo, near duplicates).
        subset: the folder or list of the data set it belongs to.
        known: (k,) bool; where False the point is not annotated: its position is a finite placeholder.
        attributes: annotations of the face, such as WFLW's `occlusion: True` or a pose angle in degrees.
        labels: origin of the points.
        turned: whether the annotation was in stored pixels and has been turned with the photo.
        states_size: whether the annotation states the width and height of its photo.
    """

    name: str
    image: Path
    landmarks: Points
    visible: NDArray[np.bool_]
    scheme: str
    boxes: Mapping[str, Box]
    group: str
    subset: str
    known: NDArray[np.bool_]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    labels: Labels = "hand"
    turned: bool = False
    states_size: bool = False

    def in_scheme(self, scheme: str) -> "FaceRecord":
        """Return the same face with its points converted; boxes stay, so crops do not depend on the scheme."""
        scheme = scheme_name(scheme)
        if scheme == self.scheme:
            return self
        return replace(
            self,
            landmarks=convert(self.landmarks, self.scheme, scheme),
            visible=convert_visibility(self.visible, self.scheme, scheme),
            known=convert_visibility(self.known, self.scheme, scheme),
            scheme=scheme,
        )


def with_points(records: Sequence[FaceRecord], what: str, advice: str) -> list[FaceRecord]:
    """Return the faces with at least one marked point, on which something can be measured; warn of the others.

    Args:
        what: how to call the faces.
        advice: what to do where none has a point.

    Raises:
        AnnotationError: no face has a marked point.
    """
    kept = [record for record in records if record.known.any()]
    if records and not kept:
        raise AnnotationError(
            f"{len(records)} of {len(records)} {what} have no marked point ({records[0].name} is the first); {advice}"
        )
    if len(kept) < len(records):
        _LOG.warning("%d of %d %s have no marked point and are left out", len(records) - len(kept), len(records), what)
    return kept


def with_boxes(records: Sequence[FaceRecord], boxes: Sequence[str]) -> list[FaceRecord]:
    """Return the faces without those that have neither points nor a box of these sources; warn of those left out.

    Nothing can be cut out of such a face, and nothing learnt from it. A face with points but without box is kept, so
    that what needs the box says so.
    """
    kept = [record for record in records if record.known.any() or any(source in record.boxes for source in boxes)]
    if len(kept) < len(records):
        left_out, sources = len(records) - len(kept), " or ".join(boxes)
        _LOG.warning(
            "%d of %d faces have neither points nor a %s box and are left out", left_out, len(records), sources
        )
    return kept


def known_normalisers(records: Sequence[FaceRecord], scheme: str) -> tuple[str, ...]:
    """Return the normalisers of a scheme whose points are annotated in every face; `box` is the last."""
    meaning = load_scheme(scheme)
    everywhere = np.ones(meaning.n_points, bool)
    for record in records:
        everywhere &= record.known
    return tuple(name for name in meaning.normalisers if everywhere[meaning.points_of(name)].all())


def outside_photo(
    points: Points, known: NDArray[np.bool_], boxes: Mapping[str, Box], size: tuple[int, int]
) -> str | None:
    """Return what of a face lies outside a photo of (width, height), further than a cut-off chin; None if nothing."""
    width, height = size
    for box_source, box in boxes.items():
        if box.x1 <= -0.5 or box.y1 <= -0.5 or box.x0 >= width - 0.5 or box.y0 >= height - 0.5:
            corners = tuple(round(v, 1) for v in box)
            return f"{box_source} box {corners} lies outside the {width}x{height} photo"
    if not known.any():
        return None
    marked = points[known]
    beyond = np.maximum(-marked, marked - np.array([width - 1, height - 1])).max(1)
    if beyond.max() <= 0:
        return None
    # Twice the middle half of the points is about the size of the face, and one stray point does not stretch it.
    allowed = 2 * float(np.subtract(*np.percentile(marked, [75, 25], axis=0)).max())
    worst = int(np.flatnonzero(known)[beyond.argmax()])
    if beyond.max() > allowed or (beyond > 0.5).mean() > 0.5:
        where = tuple(round(float(v), 1) for v in points[worst])
        return f"point {worst} at {where} is outside the {width}x{height} photo"
    return None


def _flags(values: NDArray[np.bool_] | None, k: int, name: str, source: Path) -> NDArray[np.bool_]:
    flags = np.ones(k, bool) if values is None else np.asarray(values, bool)
    if flags.shape != (k,):
        raise AnnotationError(f"{source}: {flags.size} {name} flags for {k} points; give one for each or none")
    return flags


def _checked_points(landmarks: NDArray[np.floating], known: NDArray[np.bool_], scheme: str, source: Path) -> Points:
    """The known points as they are, the others moved to the middle of them."""
    with np.errstate(over="ignore"):  # becomes infinite, which is refused below
        points = np.array(landmarks, np.float32)
    if points.shape != (len(known), 2):
        count = points.shape[0] if points.ndim else 0
        raise AnnotationError(f"{source}: {count} points where scheme {scheme} has {len(known)}; name another scheme")
    if not known.all():
        with np.errstate(all="ignore"):  # what is not finite is refused below
            points[~known] = points[known].mean(0) if known.any() else 0
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(1))[0])
        raise AnnotationError(f"{source}: point {bad} is {points[bad].tolist()}; fix or remove this face")
    return points


def make_record(
    *,
    name: str,
    image: Path,
    landmarks: NDArray[np.floating] | None,
    scheme: str,
    source: Path,
    visible: NDArray[np.bool_] | None = None,
    boxes: Mapping[str, Box] | None = None,
    group: str | None = None,
    subset: str = "",
    size: tuple[int, int] | None = None,
    known: NDArray[np.bool_] | None = None,
    attributes: Mapping[str, Attribute] | None = None,
    labels: Labels = "hand",
    stated: tuple[int, int] | None = None,
) -> FaceRecord:
    """Build a validated record; every reader calls this.

    Points may lie a little outside the photo, as with a cut-off chin; `size` (width, height of the photo)
    limits how far, and checks that the boxes overlap the photo. `source` is the file named in errors.
    `stated` is the (width, height) that the annotation gives for its photo: it is compared with the photo, and points
    and boxes are turned with the photo where they are in its stored pixels.
    Points that are not `known` may hold anything. Without landmarks (None) no point is known and labels are "none".

    Raises:
        AnnotationError: wrong number of points or flags, NaN or infinite coordinates of a known point, a box without
            area, a box outside the photo, points further outside it than the face is large, or a photo of another
            size than stated.
    """
    scheme = scheme_name(scheme)
    turned = False
    if stated is not None:
        landmarks, boxes, size, turned = fit_to_photo(landmarks, boxes or {}, stated, image, source)
    k = load_scheme(scheme).n_points
    if landmarks is None:
        landmarks = np.zeros((k, 2))
        known = np.zeros(k, bool)
        labels = "none"
    marked = _flags(known, k, "known", source)
    flags = _flags(visible, k, "visibility", source)
    points = _checked_points(landmarks, marked, scheme, source)
    if not marked.any() and labels != "none":
        raise AnnotationError(f"{source}: none of the {k} points has a position; remove this face")
    if labels not in get_args(Labels):
        raise AnnotationError(f"{source}: labels are {labels!r}; write one of {', '.join(get_args(Labels))}")
    boxes = _checked_boxes(points[marked], boxes or {}, source)
    if size is not None and (fault := outside_photo(points, marked, boxes, size)) is not None:
        raise AnnotationError(f"{source}: {fault}; fix it")
    return FaceRecord(
        name=name, image=image, landmarks=points, visible=flags & marked, scheme=scheme, boxes=boxes,
        group=group or name, subset=subset, known=marked, attributes=dict(attributes or {}), labels=labels,
        turned=turned, states_size=stated is not None,
    )  # fmt: skip


def _checked_boxes(points: NDArray[np.floating], boxes: Mapping[str, Box], source: Path) -> dict[str, Box]:
    """Return the boxes of a face, with the tight box of its known points (k, 2) as `gt` where none is given.

    Raises:
        AnnotationError: a box without area.
    """
    tight = {"gt": box_of_points(points)} if len(points) else {}
    boxes = {**tight, **boxes}
    for box_source, box in boxes.items():
        if not (np.isfinite(box).all() and box.width > 0 and box.height > 0):
            raise AnnotationError(f"{source}: {box_source} box {tuple(round(v, 1) for v in box)} has no area; fix it")
    return boxes
