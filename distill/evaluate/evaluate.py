"""Measure a model file on annotated faces: one path for checkpoints, ONNX and TFLite."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.progress import track
from rich.table import Table

from distill.data.readers import FORMATS, parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.errors import AnnotationError, CheckpointError, ConfigError
from distill.evaluate.predictors import Predictor, load_predictor, predict_with_flip
from distill.evaluate.protocol import Protocol, hash_faces
from distill.evaluate.result import Evaluation
from distill.geometry import CropSpec, apply_affine, crop_affine, denormalise, invert_affine
from distill.images import read_image, warp
from distill.landmarks import convert, is_exact, load_scheme
from distill.metrics.functional import available_normalisers, normaliser


def evaluate(
    model: str | Path | Predictor,
    *,
    format: str,
    root: str | Path,
    subset: str | None = None,
    boxes: str = "gt",
    scheme: str | None = None,
    batch_size: int = 32,
    flip_tta: bool = False,
    limit: int | None = None,
    progress: bool = True,
) -> Evaluation:
    """Run a model over a data set and keep every error.

    Args:
        model: a checkpoint, ONNX or TFLite file, or a predictor already loaded.
        format: how the data lies on disk, a name in `data.readers.FORMATS`.
        root: folder of the data set.
        subset: parts of it joined by '+', None for everything.
        boxes: cut faces out by true boxes (`gt`) or a detector's (`det`).
        scheme: measure in this scheme; None: in the model's. Points and predictions are converted only where exact.
        batch_size: crops held at a time.
        flip_tta: average with the prediction for the mirror image.
        limit: at most this many faces, evenly spread over the data set.
        progress: show a bar on standard error.

    Raises:
        ConfigError: data and model do not fit together, or faces without a box of the kind asked for.
        AnnotationError, ImageError, CheckpointError: a file that is not what it should be.
    """
    predictor = model if isinstance(model, Predictor) else load_predictor(model)
    chosen = scheme or predictor.spec.scheme
    _require_exact(predictor.spec.scheme, chosen, "the model's points")
    records = _spread(_records_in(chosen, format, root, subset), limit)
    _require_boxes(records, boxes)
    distances = _distances(records, chosen)
    predicted = _predict(predictor, records, boxes, batch_size, flip_tta, progress)
    protocol = Protocol(
        scheme=chosen,
        points=load_scheme(chosen).n_points,
        normalisers=tuple(distances),
        boxes=boxes,
        format=format,
        subset="+".join(sorted(parse_subsets(subset) or ("all",))),
        n_faces=len(records),
        data_hash=hash_faces(records, boxes),
        flip_tta=flip_tta,
        crop=predictor.spec.crop,
        runtime=predictor.runtime,
        model_sha256=predictor.sha256,
    )
    return Evaluation(
        model=predictor.spec.arch if isinstance(model, Predictor) else Path(model).name,
        protocol=protocol,
        names=tuple(record.name for record in records),
        predicted=convert(predicted, predictor.spec.scheme, chosen),
        target=np.stack([record.landmarks for record in records]),
        distances=distances,
    )


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


def _distances(records: Sequence[FaceRecord], scheme: str) -> dict[str, NDArray[np.float64]]:
    """All normalisers the scheme has, in pixels of the photos."""
    meaning, out = load_scheme(scheme), {}
    for kind in available_normalisers(meaning):
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


def _predict(
    predictor: Predictor, records: Sequence[FaceRecord], boxes: str, batch_size: int, flip_tta: bool, progress: bool
) -> NDArray[np.float32]:
    """Points (n, k, 2) in pixels of the photos, in the model's scheme."""
    if batch_size < 1:
        raise ConfigError(f"batch size {batch_size} holds no face; give 1 or more")
    crop, found = predictor.spec.crop, []
    starts = range(0, len(records), batch_size)
    bar = track(
        starts, description=f"Measuring {len(records)} faces", console=Console(stderr=True), disable=not progress
    )
    for start in bar:
        batch = records[start : start + batch_size]
        affines = [crop_affine(record.boxes[boxes], crop) for record in batch]
        crops = np.stack([_crop(record, a, crop) for record, a in zip(batch, affines, strict=True)])
        points = predict_with_flip(predictor, crops) if flip_tta else predictor(crops)
        _require_finite(points, batch)
        pixels = denormalise(points, crop.size, crop.size)
        found += [apply_affine(invert_affine(a), p) for a, p in zip(affines, pixels, strict=True)]
    return np.stack(found)


def _crop(record: FaceRecord, affine: NDArray[np.float64], crop: CropSpec) -> NDArray[np.uint8]:
    return warp(read_image(record.image), affine, crop.size)


def _require_finite(points: NDArray[np.float32], batch: Sequence[FaceRecord]) -> None:
    bad = np.flatnonzero(~np.isfinite(points).all((1, 2)))
    if len(bad):
        name = batch[int(bad[0])].name
        raise CheckpointError(f"the model returns NaN for {name}: its weights are broken; use another checkpoint")


def render(evaluation: Evaluation) -> Group:
    """Return rich tables of an evaluation: by normaliser, by part of the face, and the protocol below."""
    p, kinds = evaluation.protocol, evaluation.protocol.normalisers
    table = Table(title=f"{evaluation.model}: {p.n_faces} faces, {p.points} points", title_justify="left")
    for column in ("normaliser", "NME %", "95 %", "FR@8 %", "FR@10 %", "AUC@8 %", "AUC@10 %"):
        table.add_column(column, justify="left" if column == "normaliser" else "right")
    for kind in kinds:
        values, (low, high) = evaluation.summary(kind), evaluation.interval(kind)
        shares = (f"{100 * values[name]:.2f}" for name in ("fr8", "fr10", "auc8", "auc10"))
        table.add_row(kind, f"{100 * values['nme']:.3f}", f"{100 * low:.3f} to {100 * high:.3f}", *shares)
    parts = Table()
    for column in ("points", *(f"NME % ({kind})" for kind in kinds), "within 5 px %"):
        parts.add_column(column, justify="left" if column == "points" else "right")
    for group in (None, *evaluation.groups):
        errors = (f"{100 * evaluation.nme(kind, group).mean():.3f}" for kind in kinds)
        parts.add_row(group or "all", *errors, f"{100 * evaluation.accuracy_5px(group):.2f}")
    flip = "with" if p.flip_tta else "without"
    lines = (
        f"{p.format} {p.subset}, {p.boxes} boxes, scheme {p.scheme}, {flip} flip TTA, {p.runtime}",
        f"within 5 px at a face box of 256 px: {100 * evaluation.accuracy_5px_box256:.2f} %",
        f"data {p.data_hash[:12]}, model {p.model_sha256[:12]}",
    )
    return Group(table, parts, *lines)
