"""The faces a number is measured on, with everything that decides the number except the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from distill.data.readers import FORMATS, parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.errors import AnnotationError, ConfigError
from distill.landmarks import is_exact, load_scheme
from distill.metrics.functional import available_normalisers, normaliser


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Annotated faces of one scheme, each with a box of one kind.

    Attributes:
        scheme: what errors are taken in.
        boxes: which box faces are cut out by, `gt` or `det`.
        format: how the data lies on disk.
        subset: which part of it, `all` for everything.
        records: the faces, in order, in `scheme`.
        distances: for each normaliser, (n,) pixels of the photos.
    """

    scheme: str
    boxes: str
    format: str
    subset: str
    records: tuple[FaceRecord, ...]
    distances: dict[str, NDArray[np.float64]]


def load_faces(
    model_scheme: str,
    *,
    format: str,
    root: str | Path,
    subset: str | None = None,
    boxes: str = "gt",
    scheme: str | None = None,
    limit: int | None = None,
) -> FaceSet:
    """Read the faces a model of `model_scheme` can be measured on.

    Args:
        model_scheme: scheme of the model's points.
        format: how the data lies on disk, a name in `data.readers.FORMATS`.
        root: folder of the data set.
        subset: parts of it joined by '+', None for everything.
        boxes: cut faces out by true boxes (`gt`) or a detector's (`det`).
        scheme: measure in this scheme; None: in the model's. Points and predictions are converted only where exact.
        limit: at most this many faces, evenly spread over the data set.

    Raises:
        ConfigError: data and model do not fit together, or faces without a box of the kind asked for.
        AnnotationError, ImageError: a file that is not what it should be.
    """
    chosen = scheme or model_scheme
    _require_exact(model_scheme, chosen, "the model's points")
    records = _spread(_records_in(chosen, format, root, subset), limit)
    _require_boxes(records, boxes)
    _require_points(records)
    names = "+".join(sorted(parse_subsets(subset) or ("all",)))
    return FaceSet(chosen, boxes, format, names, tuple(records), _distances(records, chosen))


def _is_exact(source: str, target: str) -> bool:
    """As `is_exact`, and False where there is no map at all."""
    return source == target or (source in load_scheme(target).sources and is_exact(source, target))


def _require_exact(source: str, target: str, what: str) -> None:
    if not _is_exact(source, target):
        how = "only approximately" if source in load_scheme(target).sources else "not"
        raise ConfigError(f"{what} are {source}, {how} convertible to {target}: give data or a model to match")


def _records_in(scheme: str, format: str, root: str | Path, subset: str | None) -> list[FaceRecord]:
    """Faces with points of `scheme`; an approximate conversion is refused, for it would count as the model's error."""
    subsets = parse_subsets(subset)
    records = read_faces(format, root, subsets)
    if not all(_is_exact(record.scheme, scheme) for record in records):
        # A data set may hold its points in several schemes; the reader then picks the one that suits.
        records = FORMATS[format](Path(root), subsets, scheme)
    for record in records:
        _require_exact(record.scheme, scheme, f"the points of {record.name}")
    return [record.in_scheme(scheme) for record in records]


def _spread(records: list[FaceRecord], limit: int | None) -> list[FaceRecord]:
    if limit is None or limit >= len(records):
        return records
    if limit < 1:
        raise ConfigError(f"limit {limit} leaves no face to measure; give 1 or more")
    return [records[int(index)] for index in np.linspace(0, len(records) - 1, limit)]


def _require_boxes(records: Sequence[FaceRecord], kind: str) -> None:
    if kind not in ("gt", "det"):
        raise ConfigError(f"unknown boxes '{kind}': valid: gt, det")
    missing = [record.name for record in records if kind not in record.boxes]
    if missing:
        raise ConfigError(
            f"{len(missing)} of {len(records)} faces have no {kind} box (first: {missing[0]}); "
            "use gt boxes, or add theirs to the data set"
        )


def _require_points(records: Sequence[FaceRecord]) -> None:
    without = [record.name for record in records if not record.known.any()]
    if without:
        raise AnnotationError(
            f"{len(without)} of {len(records)} faces have no marked point (first: {without[0]}); choose others"
        )


def _distances(records: Sequence[FaceRecord], scheme: str) -> dict[str, NDArray[np.float64]]:
    """All normalisers the scheme has and every face knows, in pixels of the photos."""
    meaning, out = load_scheme(scheme), {}
    for kind in available_normalisers(meaning):
        ends = {"ocular": meaning.ocular, "pupil": meaning.pupil}.get(kind) or ()
        needed = [index for end in ends for index in end]
        if not all(record.known[needed].all() for record in records):
            continue
        values = []
        for record in records:
            box = record.boxes["gt"]
            size = torch.tensor([[box.width, box.height]], dtype=torch.float64)
            try:
                values.append(normaliser(meaning, torch.from_numpy(record.landmarks[None]), kind, size))
            except ValueError as error:
                raise AnnotationError(f"{record.name}: {error}; mend or drop this face") from error
        out[kind] = torch.cat(values).double().numpy()
    return out
