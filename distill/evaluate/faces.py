"""Faces of an evaluation, with their boxes and normalisers."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from distill.data.box_sources import DETECTOR, require_box_source
from distill.data.detector_boxes import Detector, with_detector_boxes
from distill.data.readers import FORMATS, parse_subsets, read_annotated
from distill.data.records import FaceRecord, known_normalisers, with_points
from distill.data.trained_photos import trained_on
from distill.detection.detector import FaceDetector, as_detector
from distill.errors import AnnotationError, ConfigError
from distill.geometry import CropSpec
from distill.landmarks import is_exact, load_scheme, map_bias, scheme_name
from distill.metrics.functional import normaliser
from distill.pretrained.registry import DEFAULT_DETECTOR
from distill.spec import ModelSpec

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Annotated faces of one scheme, each with a box of one source.

    Attributes:
        scheme: what errors are taken in.
        boxes: which box faces are cut out by: `gt`, `dataset` or `detector`.
        format: how the data lies on disk.
        subset: which part of it, `all` for everything.
        records: the faces, in order, in `scheme`.
        distances: for each normaliser, (n,) pixels of the photos.
        conversion: `exact`, or which points were converted only approximately, and how far off that map is.
        missed: faces that our detector did not find, which are not among the records.
    """

    scheme: str
    boxes: str
    format: str
    subset: str
    records: tuple[FaceRecord, ...]
    distances: dict[str, NDArray[np.float64]]
    conversion: str = "exact"
    missed: int = 0

    def crop(self, spec: ModelSpec) -> CropSpec:
        """How a box of these faces becomes a model's input."""
        return spec.detected_crop if self.boxes == DETECTOR else spec.crop


def load_faces(
    model_scheme: str,
    *,
    format: str,
    root: str | Path,
    subset: str | None = None,
    boxes: str = "gt",
    scheme: str | None = None,
    limit: int | None = None,
    approximate: bool = False,
    detector: Detector | str | Path | None = None,
    progress: bool = True,
    trained: str = "",
) -> FaceSet:
    """Read the faces a model of `model_scheme` can be measured on.

    Args:
        model_scheme: scheme of the model's points.
        format: how the data lies on disk, a name in `data.readers.FORMATS`.
        root: folder of the data set.
        subset: parts of it joined by '+', None for everything.
        boxes: cut faces out by true boxes (`gt`), by those of a detector that come with the data (`dataset`), or by
            those of `FaceDetector` (`detector`), as in `distill predict`; faces it misses are counted and left out.
        scheme: measure in this scheme; None: in the model's. Points and predictions are converted only where exact.
        limit: at most this many faces, evenly spread over the data set.
        approximate: convert also where a map is approximate; what it is wrong by then counts as the model's error.
        detector: used for `detector` boxes: a function of a photo, or the name or the file of a `FaceDetector`, which
            is the default.
        progress: show a bar on standard error during detection.
        trained: fingerprints of the photos that the model was trained on: `ModelSpec.trained_on`. Of a whole data set
            such faces are left out; in a named subset they are an error.

    Raises:
        ConfigError: data and model do not fit together, faces without a box of this source, a detector that cannot be
            called, or trained faces.
        AnnotationError, ImageError: an invalid file.
    """
    require_box_source("--boxes", boxes)
    finder = as_detector(detector)
    if finder is not None and boxes != DETECTOR:
        raise ConfigError(f"detector has no effect with boxes='{boxes}': give boxes='{DETECTOR}', or leave it out")
    model_scheme, chosen = scheme_name(model_scheme), scheme_name(scheme or model_scheme)
    inexact = [_inexact(model_scheme, chosen, "the model's points", approximate)]
    records = _read(chosen, format, root, subset)
    first = {record.scheme: record.name for record in reversed(records)}
    inexact += [_inexact(source, chosen, f"the points of {name}", approximate) for source, name in first.items()]
    conversion = "; ".join(dict.fromkeys(filter(None, inexact))) or "exact"
    records = with_points([record.in_scheme(chosen) for record in records], "faces", "choose others")
    records = _spread(_not_trained(records, trained, subset), limit)
    n_requested = len(records)
    if boxes == DETECTOR:
        records = _found(records, finder or FaceDetector(), progress)
    _require_boxes(records, boxes)
    names, distances = "+".join(sorted(parse_subsets(subset) or ("all",))), _distances(records, chosen)
    return FaceSet(chosen, boxes, format, names, tuple(records), distances, conversion, n_requested - len(records))


def _has_map(source: str, target: str) -> bool:
    return source == target or source in load_scheme(target).sources


def _read(scheme: str, format: str, root: str | Path, subset: str | None) -> list[FaceRecord]:
    """Faces as the data set annotates them, in `scheme` where it holds its points in several."""
    subsets = parse_subsets(subset)
    records = read_annotated(format, root, subsets, scheme)
    if all(_has_map(record.scheme, scheme) and is_exact(record.scheme, scheme) for record in records):
        return records
    # A data set may hold its points in several schemes; the reader then picks the one that suits.
    return FORMATS[format](Path(root), subsets, scheme)


def _inexact(source: str, target: str, what: str, approximate: bool) -> str:
    """Describe an approximate conversion, empty where it is exact; refuse one that was not requested."""
    if not _has_map(source, target):
        raise ConfigError(f"{what} are {source}, not convertible to {target}: give data or a model to match")
    if is_exact(source, target):
        return ""
    if not approximate:
        raise ConfigError(
            f"{what} are {source}, only approximately convertible to {target}: give data or a model to match, "
            "or --approximate, which counts what the map is wrong by as the model's error"
        )
    bias = map_bias(source, target)
    wrong_by = f"wrong by {100 * bias.mean:.1f} % of the eye distance" if bias else "its bias never measured"
    return f"{source} to {target} approximate, {wrong_by}"


def _not_trained(records: list[FaceRecord], trained: str, subset: str | None) -> list[FaceRecord]:
    """Return the faces that the model was not trained on."""
    seen_in_training = {record.name for record in trained_on(records, trained)} if trained else set()
    if not seen_in_training:
        return records
    counts = f"{len(seen_in_training)} of {len(records)} faces are in photos that the model was trained on"
    rest = [record for record in records if record.name not in seen_in_training]
    if parse_subsets(subset) is not None or not rest:
        raise ConfigError(f"{counts} ({min(seen_in_training)}): choose faces that it was not trained on")
    _LOG.warning("%s and are left out", counts)
    return rest


def _spread(records: list[FaceRecord], limit: int | None) -> list[FaceRecord]:
    if limit is None or limit >= len(records):
        return records
    if limit < 1:
        raise ConfigError(f"limit {limit} leaves no face to measure; give 1 or more")
    return [records[int(index)] for index in np.linspace(0, len(records) - 1, limit)]


def _found(records: Sequence[FaceRecord], detector: Detector, progress: bool) -> list[FaceRecord]:
    shown = track(records, description="Finding faces", console=Console(stderr=True), disable=not progress)
    found = [face for face in with_detector_boxes(shown, detector) if DETECTOR in face.boxes]
    if not found:
        raise AnnotationError(
            f"the detector finds none of {len(records)} faces; look at them with `distill data sheet`"
        )
    return found


def _require_boxes(records: Sequence[FaceRecord], kind: str) -> None:
    missing = [record.name for record in records if kind not in record.boxes]
    if missing:
        raise ConfigError(
            f"{len(missing)} of {len(records)} faces have no {kind} box (first: {missing[0]}); "
            f"use gt boxes, or {DETECTOR} boxes"
        )


def _distances(records: Sequence[FaceRecord], scheme: str) -> dict[str, NDArray[np.float64]]:
    """All normalisers of the scheme that are known for every face, in pixels of the photos."""
    meaning, out = load_scheme(scheme), {}
    for kind in known_normalisers(records, scheme):
        values = []
        for record in records:
            box = record.boxes["gt"]
            size = torch.tensor([[box.width, box.height]], dtype=torch.float64)
            try:
                values.append(normaliser(meaning, torch.from_numpy(record.landmarks[None]), kind, size))
            except ValueError as error:
                raise AnnotationError(f"{record.name}: {error}; fix or drop this face") from error
        out[kind] = torch.cat(values).double().numpy()
    return out


def chosen_detector(boxes: str, detector: str, size: int | None = None) -> FaceDetector | None:
    """Return the face detector where the boxes come from one.

    Raises:
        ConfigError: another detector than the default or a size is named, but the boxes come from elsewhere.
    """
    if boxes == DETECTOR:
        return FaceDetector(detector, size=size)
    if detector != DEFAULT_DETECTOR or size is not None:
        name = "--detector" if size is None else "--detector_size"
        raise ConfigError(f"{name} belongs to --boxes {DETECTOR}; add it, or leave the detector out")
    return None
