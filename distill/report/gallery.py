"""Faces with predictions drawn on them. Call it only for faces that may be shown."""

from collections.abc import Sequence

import numpy as np

from distill.data.records import FaceRecord
from distill.errors import ConfigError
from distill.evaluate.result import Evaluation
from distill.geometry import CropSpec, apply_affine, crop_affine
from distill.images import read_image, warp
from distill.images.figures import contact_sheet

_CROP = CropSpec(size=192, scale=1.25)


def extremes(evaluation: Evaluation, count: int) -> tuple[list[int], list[int]]:
    """Return the indices of the `count` worst faces, worst first, and of the best, best first."""
    order = np.argsort(evaluation.nme())
    return [int(i) for i in order[::-1][:count]], [int(i) for i in order[:count]]


def gallery(evaluation: Evaluation, records: Sequence[FaceRecord], indices: Sequence[int], columns: int = 6) -> bytes:
    """Draw some faces of an evaluation as PNG: prediction blue, annotation orange, the NME below.

    Args:
        records: the faces of the evaluation in any order, in its scheme.
        indices: which of them, as places in `evaluation.names`.

    Raises:
        ConfigError: a face the records do not hold.
    """
    by_name = {record.name: record for record in records}
    images, predicted, target = [], [], []
    for index in indices:
        record = by_name.get(evaluation.names[index])
        if record is None:
            raise ConfigError(f"face '{evaluation.names[index]}' is not among these records; read the same data set")
        affine = crop_affine(record.boxes["gt"], _CROP)
        images.append(warp(read_image(record.image), affine, _CROP.size))
        predicted.append(apply_affine(affine, record.landmarks + evaluation.offsets[index]))
        target.append(apply_affine(affine, record.landmarks))
    captions = [f"{100 * evaluation.nme()[index]:.2f} %" for index in indices]
    return contact_sheet(images, predicted, target, captions, columns)
