"""Checks of single points: outside the photo, coinciding, never annotated; and of faces that are too small."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.check.finding import Finding
from distill.data.check.photos import PhotoFacts
from distill.data.records import FaceRecord
from distill.images import UPRIGHT
from distill.landmarks import load_scheme

# A cut-off chin is guessed a little outside; more than this share of the face is another mistake.
_FAR = 0.25

_OUTSIDE = "check it: a wrong scale, a crop made without its points, or 1-based points read as 0-based"
_TINY = "leave it out, or train for small faces on purpose"
_COINCIDE = "check it: points were left where the tool first put them"
_NEVER = "nothing to do if the set has no such points; else the file is cut short"
_TURNED = (
    "nothing to do if the sheets show points on the faces; else state the annotated photo's width and height, or "
    "annotate with a tool that turns photos"
)
_NO_POINTS = "nothing to do: such faces serve detectors and label-free training"


def find_outside(facts: Mapping[Path, PhotoFacts], records: Sequence[FaceRecord]) -> Iterator[Finding]:
    """Faces with known points outside the photo, if far or many."""
    for record in records:
        size = facts[record.image].size
        known = record.known
        if size is None or not known.any():
            continue
        points = record.landmarks[known]
        beyond = np.maximum(-0.5 - points, points - (np.array(size) - 0.5)).max(1)
        outside = beyond > 0
        if not outside.any():
            continue
        share = float(beyond.max()) / max(1.0, float(np.ptp(points, axis=0).max()))
        worst = int(np.flatnonzero(known)[beyond.argmax()])
        photo = f"{size[0]}x{size[1]} photo"
        furthest = f"point {worst} by {beyond.max():.1f} px"
        what = f"{int(outside.sum())} points outside the {photo}, {furthest}"
        yield Finding("warning" if share > _FAR else "note", "outside photo", record.name, what, _OUTSIDE)


def find_turned(records: Sequence[FaceRecord]) -> Iterator[Finding]:
    """Faces that were annotated in the stored pixels of a photo that its orientation tag turns."""
    turned = [record.name for record in records if record.turned]
    if turned:
        what = f"{len(turned)} of {len(records)} faces are annotated in the photo's stored pixels; points were turned"
        yield Finding("warning", "orientation", turned[0], what, _TURNED)


def find_unclear_orientation(facts: Mapping[Path, PhotoFacts], records: Sequence[FaceRecord]) -> Iterator[Finding]:
    """Faces in photos that an orientation tag turns, of which no stated size tells which pixels were annotated.

    The size tells it where the turn exchanges two different sides.
    """
    unclear = []
    for record in records:
        layout = facts[record.image].layout
        if layout is None or layout.orientation == UPRIGHT or not record.known.any():
            continue
        if not record.states_size or layout.stored == layout.size:
            unclear.append(record.name)
    if unclear:
        what = (
            f"{len(unclear)} of {len(records)} faces are in photos that an orientation tag turns, and no size tells "
            "which pixels were annotated; read as points of the photo as it is shown"
        )
        yield Finding("warning", "orientation", unclear[0], what, _TURNED)


def find_tiny(records: Sequence[FaceRecord], smallest: float) -> Iterator[Finding]:
    """Faces whose box has a longer side below `smallest` pixels."""
    for record in records:
        box = record.boxes.get("gt") or record.boxes.get("dataset")
        if box is not None and max(box.width, box.height) < smallest:
            what = f"the face is {max(box.width, box.height):.0f} px, below {smallest:g}"
            yield Finding("warning", "tiny face", record.name, what, _TINY)


def find_coinciding(records: Sequence[FaceRecord]) -> Iterator[Finding]:
    """Faces with a quarter or more of their points exactly on another: they were not annotated."""
    for record in records:
        points = record.landmarks[record.known]
        doubled = len(points) - len(np.unique(points, axis=0))
        if len(points) > 4 and doubled >= len(points) / 4:
            what = f"{doubled} of {len(points)} points lie exactly on another"
            yield Finding("warning", "same place", record.name, what, _COINCIDE)


def find_unmarked(records: Sequence[FaceRecord]) -> Iterator[Finding]:
    """Points that no face of a scheme has, and faces without points."""
    without: list[str] = []
    marked: dict[str, NDArray[np.bool_]] = {}
    for record in records:
        if record.labels == "none":
            without.append(record.name)
        else:
            marked[record.scheme] = marked.get(record.scheme, False) | record.known
    if without:
        what = f"{len(without)} of {len(records)} faces have no points"
        yield Finding("note", "no points", without[0], what, _NO_POINTS)
    for scheme, known in sorted(marked.items()):
        never = np.flatnonzero(~known).tolist()
        if never:
            what = f"points {_ranges(never)} of {load_scheme(scheme).n_points} are marked in no face"
            yield Finding("warning", "never marked", scheme, what, _NEVER)


def _ranges(numbers: Sequence[int]) -> str:
    """[1, 2, 3, 7] -> '1-3, 7'."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)
