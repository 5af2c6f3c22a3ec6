"""Measure a model file on annotated faces: one path for checkpoints, ONNX and TFLite."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.progress import track
from rich.table import Table

from distill.data.config import FacesConfig
from distill.data.records import FaceRecord
from distill.detection.detection import Detector
from distill.errors import CheckpointError, ConfigError
from distill.evaluate.faces import FaceSet, load_faces
from distill.evaluate.protocol import Protocol, hash_faces
from distill.evaluate.result import Evaluation
from distill.geometry import Affine, Box, CropSpec, apply_affine, crop_affine, denormalise, invert_affine
from distill.images import Photo, read_image, warp
from distill.inference.backend import Backend
from distill.inference.flip import predict_with_flip
from distill.inference.load import open_backend
from distill.landmarks import convert, load_scheme

UNCHANGED = "none"
_SEED = 0


class View(NamedTuple):
    """A photo and the face box in it.

    Attributes:
        photo: the photo, possibly changed.
        box: the face box in it.
        from_photo: 2x3 affine, pixels of the original photo -> pixels of this one; None where they are the same.
    """

    photo: Photo
    box: Box
    from_photo: Affine | None = None


Change = Callable[[View, np.random.Generator], View]
AS_THEY_ARE: Mapping[str, Change] = MappingProxyType({UNCHANGED: lambda view, _: view})


def evaluate(
    model: str | Path | Backend,
    *,
    format: str | None = None,
    root: str | Path | None = None,
    subset: str | None = None,
    preset: str | None = None,
    boxes: str = "gt",
    scheme: str | None = None,
    batch_size: int = 32,
    flip_tta: bool = False,
    limit: int | None = None,
    approximate: bool = False,
    detector: Detector | str | Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """Measure a model on annotated faces: the error of every landmark of every face.

    Args:
        model: a checkpoint, ONNX or TFLite file, or a backend already loaded.
        format, root: of the data set; by default the preset's, else 300w and data/300W.
        boxes, scheme, limit, approximate, detector: the faces, as in `load_faces`.
        subset: parts of the data set joined by `+`, `all` for every face; the official test faces by default.
        preset: public data set whose format and official split are used.
        batch_size: crops of one forward pass.
        flip_tta: average with the prediction for the mirrored image.
        progress: show a bar on standard error.

    Raises:
        ConfigError: data and model do not fit together, or faces without a box of this source.
        AnnotationError, ImageError, CheckpointError: an invalid file.
    """
    backend, faces, name = load(
        model, format=format, root=root, subset=subset, preset=preset, boxes=boxes, scheme=scheme, limit=limit,
        approximate=approximate, detector=detector, progress=progress,
    )  # fmt: skip
    return measure(backend, faces, name, batch_size=batch_size, flip_tta=flip_tta, progress=progress)[UNCHANGED]


def load(
    model: str | Path | Backend,
    *,
    format: str | None,
    root: str | Path | None,
    subset: str | None,
    preset: str | None,
    progress: bool,
    **options: Any,
) -> tuple[Backend, FaceSet, str]:
    """Return a model, the faces that it is measured on, and its name; arguments as of `evaluate` and `load_faces`."""
    chosen = {"format": format, "root": None if root is None else Path(root)}
    given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    data = FacesConfig(**given, subset=subset, preset=preset).test_faces()
    backend = model if callable(model) else open_backend(model)
    faces = load_faces(
        backend.spec.scheme, format=data.format, root=data.root, subset=data.subset, progress=progress,
        trained=backend.spec.trained_on, **options,
    )  # fmt: skip
    return backend, faces, Path(model).name if isinstance(model, str | Path) else backend.spec.arch


def measure(
    backend: Backend,
    faces: FaceSet,
    name: str,
    changes: Mapping[str, Change] = AS_THEY_ARE,
    *,
    batch_size: int = 32,
    flip_tta: bool = False,
    progress: bool = True,
) -> dict[str, Evaluation]:
    """Run a model over faces, as they are or changed; every photo is decoded once, whatever is done to it.

    Args:
        backend: the model.
        faces: read with the model's scheme.
        name: of the model, for people.
        changes: by name, what to do to a photo before the crop. Its randomness depends on the face and the name only,
            so that all models get the same inputs.
        batch_size, flip_tta, progress: as in `evaluate`.

    Returns:
        by the name of the change; unchanged faces have the name `none`.

    Raises:
        CheckpointError: a model that returns NaN.
    """
    if batch_size < 1:
        raise ConfigError(f"batch size {batch_size} holds no face; give 1 or more")
    found: dict[str, list[NDArray[np.float32]]] = {change: [] for change in changes}
    starts, text = range(0, len(faces.records), batch_size), f"Measuring {len(faces.records)} faces"
    for start in track(starts, description=text, console=Console(stderr=True), disable=not progress):
        batch = faces.records[start : start + batch_size]
        photos = [read_image(record.image) for record in batch]
        for change, apply in changes.items():
            rngs = [np.random.default_rng([_SEED, crc32(change.encode()), start + i]) for i in range(len(batch))]
            plain = (View(p, r.boxes[faces.boxes]) for p, r in zip(photos, batch, strict=True))
            views = [apply(view, rng) for view, rng in zip(plain, rngs, strict=True)]
            found[change] += _predict(backend, faces.crop(backend.spec), views, batch, flip_tta)
    target = np.stack([record.landmarks for record in faces.records]).astype(np.float64)
    target[~np.stack([record.known for record in faces.records])] = np.nan
    return {
        change: Evaluation(
            model=name,
            protocol=_protocol(backend, faces, flip_tta, change),
            names=tuple(record.name for record in faces.records),
            offsets=(convert(np.stack(points), backend.spec.scheme, faces.scheme) - target).astype(np.float32),
            distances=faces.distances,
        )
        for change, points in found.items()
    }


def _predict(
    backend: Backend, crop: CropSpec, views: Sequence[View], batch: Sequence[FaceRecord], flip_tta: bool
) -> list[NDArray[np.float32]]:
    """Points (k, 2) of each view in pixels of the original photos, in the model's scheme."""
    affines = [crop_affine(view.box, crop) for view in views]
    crops = np.stack([warp(view.photo, affine, crop.size) for view, affine in zip(views, affines, strict=True)])
    points = predict_with_flip(backend, crops) if flip_tta else backend(crops)
    _require_finite(points, batch)
    pixels = denormalise(points, crop.size, crop.size)
    back = [apply_affine(invert_affine(affine), p) for affine, p in zip(affines, pixels, strict=True)]
    return [
        p if view.from_photo is None else apply_affine(invert_affine(view.from_photo), p)
        for view, p in zip(views, back, strict=True)
    ]


def _protocol(backend: Backend, faces: FaceSet, flip_tta: bool, change: str) -> Protocol:
    return Protocol(
        scheme=faces.scheme,
        points=load_scheme(faces.scheme).n_points,
        normalisers=tuple(faces.distances),
        boxes=faces.boxes,
        format=faces.format,
        subset=faces.subset,
        n_faces=len(faces.records),
        data_hash=hash_faces(faces.records, faces.boxes),
        flip_tta=flip_tta,
        change=change,
        conversion=faces.conversion,
        missed=faces.missed,
        crop=faces.crop(backend.spec),
        runtime=backend.runtime,
        model_sha256=backend.sha256,
        seed=_SEED,
    )


def _require_finite(points: NDArray[np.float32], batch: Sequence[FaceRecord]) -> None:
    bad = np.flatnonzero(~np.isfinite(points).all((1, 2)))
    if len(bad):
        name = batch[int(bad[0])].name
        raise CheckpointError(f"the model returns NaN for {name}: its weights are broken; use another checkpoint")


def render(evaluation: Evaluation) -> Group:
    """Return rich tables of an evaluation: by normaliser, by part of the face, and the protocol below."""
    p, kinds = evaluation.protocol, evaluation.protocol.normalisers
    table = Table(title=f"{evaluation.model}: {p.n_faces} faces, {p.points} points", title_justify="left")
    for column in ("normaliser", "NME %", "95 %", "median %", "FR@8 %", "FR@10 %", "AUC@8 %", "AUC@10 %"):
        table.add_column(column, justify="left" if column == "normaliser" else "right")
    for kind in kinds:
        values, (low, high) = evaluation.summary(kind), evaluation.interval(kind)
        shares = (f"{100 * values[name]:.2f}" for name in ("fr8", "fr10", "auc8", "auc10"))
        mean, median = (f"{100 * values[name]:.3f}" for name in ("nme", "nme_median"))
        table.add_row(kind, mean, f"{100 * low:.3f} to {100 * high:.3f}", median, *shares)
    parts = Table()
    for column in ("points", *(f"NME % ({kind})" for kind in kinds), "within 5 px %"):
        parts.add_column(column, justify="left" if column == "points" else "right")
    for group in (None, *evaluation.groups):
        errors = (f"{100 * np.nanmean(evaluation.nme(kind, group)):.3f}" for kind in kinds)
        parts.add_row(group or "all", *errors, f"{100 * evaluation.accuracy_5px(group):.2f}")
    flip = "with" if p.flip_tta else "without"
    lines = (
        f"{p.format} {p.subset}, {p.boxes} boxes, scheme {p.scheme}, {flip} flip TTA, {p.runtime}",
        f"within 5 px at a face box of 256 px: {100 * evaluation.accuracy_5px_box256:.2f} %",
        f"data {p.data_hash[:12]}, model {p.model_sha256[:12]}",
        *([f"points: {p.conversion}"] if p.conversion != "exact" else []),
        *([p.left_out] if p.left_out else []),
    )
    return Group(table, parts, *lines)
