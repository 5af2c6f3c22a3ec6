"""Measuring the annotation shift of a finished training on its own training faces."""

import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from distill.data.build import Notify
from distill.data.datamodule import FaceData
from distill.data.dataset import FaceDataset
from distill.errors import DistillError
from distill.losses.reduction import inside_crop
from distill.models.annotation_shift import takes_annotation_shift
from distill.models.checkpoint import load_model, read_checkpoint
from distill.spec import MAX_SHIFT
from distill.training.callbacks.checkpointing import write_checkpoint
from distill.training.config import RunConfig
from distill.training.teacher import FrozenTeacher
from distill.training.teacher_cache.factory import parts_of

# More faces than this do not make the mean more exact than it needs to be.
_FACES = 400
# A mean that lies this many standard errors from 0 is no chance.
_ERRORS = 4.0
_BATCH = 16


def fit_annotation_shift(
    config: RunConfig, data: FaceData, folder: Path, device: torch.device, notify: Notify
) -> float:
    """Measure the annotation shift of `best.ckpt` and store it in its spec; 0 where it cannot be told from 0.

    Args:
        config: of the run.
        data: its faces; those of the main data set are measured, as they are.
        folder: of the run.
        device: to predict on.
        notify: receives a line about a shift.
    """
    path, flip = folder / "best.ckpt", config.data.augment.flip
    if not flip or not path.is_file():
        return 0.0
    try:
        shift = _measured(path, parts_of(data.train)[0], flip, device)
    except DistillError as error:  # the training is finished and must not be lost
        notify(f"The annotation shift was not measured: {error}")
        return 0.0
    if abs(shift) > MAX_SHIFT:
        notify(
            f"Annotations lie {100 * abs(shift):.0f} % of a crop beside the predictions, too far for an annotation "
            "shift: none is stored; look at the annotations with `distill data check`"
        )
        shift = 0.0
    content = read_checkpoint(path)
    if shift != content["spec"].get("annotation_shift", 0.0):
        content["spec"]["annotation_shift"] = shift
        write_checkpoint(content, path)
    if shift:
        side = "right" if shift > 0 else "left"
        notify(
            f"Annotations lie {100 * abs(shift):.2f} % of a crop to the {side} of the predictions, which training with "
            "mirrored faces cannot learn: best.ckpt adds it to its output"
        )
    return shift


def _measured(path: Path, faces: FaceDataset, flip: float, device: torch.device) -> float:
    net, spec = load_model(path)
    if not takes_annotation_shift(net):
        return 0.0
    symmetric = FrozenTeacher([net.to(device)], [spec], flip=True)
    return unlearnt_shift(group_residuals(symmetric, faces, device), flip)


def unlearnt_shift(residuals: list[float], flip: float) -> float:
    """Return what the output of a network lacks of the shift of its annotations.

    A network that sees a share of mirrored faces predicts the mean over both: at a half of them it learns nothing of
    the shift, at fewer a part, at more a part of the opposite one.

    Args:
        residuals: of annotations against symmetric predictions, one per group of photos.
        flip: probability of mirroring a face in training.
    """
    return round(2 * flip * significant_mean(residuals), 5)


@torch.no_grad()
def group_residuals(
    symmetric: FrozenTeacher, faces: FaceDataset, device: torch.device, count: int = _FACES
) -> list[float]:
    """Return how far annotations lie to the right of predictions, in sides of the crop: the mean of each photo group.

    Args:
        symmetric: the network, averaged with its predictions for mirrored crops, so that an error of its own to one
            side is not taken for one of the annotations.
        faces: they are measured without augmentation.
        device: to predict on.
        count: at most so many, evenly spread.
    """
    plain = FaceDataset(
        faces.records, faces.crop, symmetric.spec.scheme, None, faces.boxes, faces.seed,
        detector_crop=faces.detector_crop,
    )  # fmt: skip
    chosen = np.unique(np.linspace(0, len(plain) - 1, min(count, len(plain))).astype(int)).tolist()
    residuals: dict[str, list[float]] = {}
    for batch in DataLoader(Subset(plain, chosen), batch_size=_BATCH):
        found = symmetric(batch["image"].to(device) / 255).landmarks.float().cpu()
        values = face_residuals(found, batch["landmarks"], batch["known"]).tolist()
        for index, value in zip(batch["index"].tolist(), values, strict=True):
            if math.isfinite(value):
                residuals.setdefault(plain.records[index].group, []).append(value)
    return [sum(values) / len(values) for values in residuals.values()]


def face_residuals(
    found: Float[Tensor, "b k 2"], annotated: Float[Tensor, "b k 2"], known: Bool[Tensor, "b k"]
) -> Float[Tensor, " b"]:
    """Return how far the known points of each face lie to the right of the predicted ones; NaN where none is known."""
    counts = known & inside_crop(annotated)
    return torch.where(counts, (annotated - found)[..., 0], 0).sum(1) / counts.sum(1)


def significant_mean(values: list[float]) -> float:
    """Return the mean of finite values, rounded to 1e-5, or 0.0 where it is within four standard errors of 0."""
    finite = np.array([value for value in values if math.isfinite(value)])
    if len(finite) < 20:
        return 0.0
    mean, error = float(finite.mean()), float(finite.std(ddof=1) / math.sqrt(len(finite)))
    return round(mean, 5) if abs(mean) > _ERRORS * error else 0.0
