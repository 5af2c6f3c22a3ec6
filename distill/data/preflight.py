"""Faces that would break or spoil a training, found before its first step.

Readers refuse what is no annotation. A face they accept can still end a training at its first validation, hours later
(no distance to divide its error by), or be learnt as it is (points of a tool that were never moved, of another photo,
or of a face too small to be seen).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from distill.data.records import FaceRecord, outside_photo
from distill.errors import AnnotationError, ImageError
from distill.images import image_size
from distill.landmarks import Scheme, load_scheme

# Of the longer side of a face box: below, a crop of any network is made of a handful of pixels.
SMALLEST_PX = 8
# Share of the points that lie exactly on another one: the tool left them where it first put them.
_COINCIDING = 0.5
_NAMED = 5


@dataclass(frozen=True)
class UnfitFace:
    """A face that a training should not use, with the reason."""

    name: str
    reason: str


def find_unfit(records: Sequence[FaceRecord], scheme: str, normaliser: str | None = None) -> list[UnfitFace]:
    """Return the faces that would break or spoil a training.

    Args:
        records: faces, in any scheme that converts to `scheme`.
        scheme: that is trained.
        normaliser: distance that errors will be divided by; None for faces that nothing is measured on.
    """
    trained = load_scheme(scheme)
    sizes: dict[str, tuple[int, int]] = {}
    found = []
    for record in records:
        reason = _fault(record, trained, normaliser, sizes)
        if reason is not None:
            found.append(UnfitFace(record.name, reason))
    return found


def _fault(
    record: FaceRecord, trained: Scheme, normaliser: str | None, sizes: dict[str, tuple[int, int]]
) -> str | None:
    """Return why a face is unfit, or None; `sizes` holds the photos that were opened already."""
    longest = max((max(box.width, box.height) for box in record.boxes.values()), default=SMALLEST_PX)
    if longest < SMALLEST_PX:
        return f"its box is {longest:.1f} px, below {SMALLEST_PX}"
    points = record.landmarks[record.known]
    if len(points) > 1 and len(np.unique(points, axis=0)) <= (1 - _COINCIDING) * len(points):
        return f"{len(np.unique(points, axis=0))} of {len(points)} points differ, the others lie on them"
    photo = str(record.image)
    try:
        size = sizes.setdefault(photo, sizes.get(photo) or image_size(record.image))
    except ImageError as error:
        return str(error).removeprefix(f"{photo}: ")
    outside = outside_photo(record.landmarks, record.known, record.boxes, size)
    if outside is not None:
        return outside
    if normaliser is None or normaliser == "box":
        return None
    own = record.in_scheme(trained.name)
    distance = float(trained.eye_distance(own.landmarks[None].astype(np.float64), normaliser)[0])
    return None if np.isfinite(distance) and distance > 0 else f"its {normaliser} distance is {distance:g}"


def without_unfit(
    records: Sequence[FaceRecord],
    unfit: Sequence[UnfitFace],
    what: str,
    leave_out: bool,
    notify: Callable[[str], object],
) -> list[FaceRecord]:
    """Return the faces that are fit, or refuse those that are not.

    Args:
        unfit: of `records`, as from `find_unfit`.
        what: how to call the faces: `training` or `validation`.
        leave_out: train without them and report it in a line.

    Raises:
        AnnotationError: there are some and they are not to be left out, or no face is left.
    """
    if not unfit:
        return list(records)
    named = "; ".join(f"{face.name} ({face.reason})" for face in unfit[:_NAMED])
    more = f" and {len(unfit) - _NAMED} more" if len(unfit) > _NAMED else ""
    line = f"{len(unfit)} of {len(records)} {what} faces are unfit: {named}{more}"
    if not leave_out:
        raise AnnotationError(f"{line}; fix them, or leave them out with --data.unfit_faces leave_out")
    names = {face.name for face in unfit}
    kept = [record for record in records if record.name not in names]
    if not kept:
        raise AnnotationError(f"{line}; no face is left: `distill data check` shows what is wrong")
    notify(f"Left out: {line}")
    return kept
