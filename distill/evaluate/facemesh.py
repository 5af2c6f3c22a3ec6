"""Crop and constant offsets of a peer, chosen on training faces, so that it is compared at its best."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from distill.data.records import FaceRecord
from distill.evaluate.evaluate import UNCHANGED, measure
from distill.evaluate.faces import FaceSet
from distill.geometry import CropSpec, apply_affine, crop_affine, normalise
from distill.images import read_image, warp
from distill.inference.backend import Backend, Images, Landmarks
from distill.inference.facemesh import SIZE, FaceMeshBackend
from distill.inference.load import FACEMESH

_SCALES, _SHIFTS = (1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8), (-0.2, -0.15, -0.1, -0.05, 0.0)


class OffsetBackend(Backend):
    """A model whose points are moved by a constant each, which removes a difference between annotation conventions.

    Args:
        backend: the model.
        offset: (k, 2) to subtract, normalised to the crop; see `mean_offset`.
    """

    def __init__(self, backend: Backend, offset: NDArray[np.float32]):
        self.spec, self.sha256, self.runtime = backend.spec, backend.sha256, f"{backend.runtime}, offset fitted"
        self.backend, self.offset = backend, offset

    def __call__(self, images: Images, /) -> Landmarks:
        return self.backend(images) - self.offset


def tuned(faces: FaceSet) -> tuple[FaceMeshBackend, OffsetBackend]:
    """Return MediaPipe FaceMesh raw and with its offset, each at its best crop, all chosen on `faces` (training faces).

    Raises:
        ConfigError: mediapipe 0.10.21 is not installed.
    """
    few = replace(faces, records=faces.records[:: max(1, len(faces.records) // 100)])
    few = replace(few, distances={k: v[:: max(1, len(faces.records) // 100)] for k, v in faces.distances.items()})
    crops = [CropSpec(SIZE, scale, shift) for scale, shift in product(_SCALES, _SHIFTS)]
    errors = [_errors(FaceMeshBackend(crop), few) for crop in crops]
    raw, calibrated = (crops[int(index)] for index in np.argmin(errors, axis=0))
    return FaceMeshBackend(raw), with_offset(FaceMeshBackend(calibrated), faces)


def _errors(backend: FaceMeshBackend, faces: FaceSet) -> tuple[float, float]:
    """Return the NME, and what is left of it without the mean error of each point, which the offset takes away."""
    found = measure(backend, faces, FACEMESH, progress=False)[UNCHANGED]
    residual, distances = found.offsets, found.distances[found.primary]
    raw, spread = (np.linalg.norm(part, axis=-1).mean(1) for part in (residual, residual - residual.mean(0)))
    return float((raw / distances).mean()), float((spread / distances).mean())


def with_offset(backend: Backend, faces: FaceSet) -> OffsetBackend:
    """Return a model without the mean error of each of its points over faces in its scheme."""
    return OffsetBackend(backend, mean_offset(backend, faces.records, faces.boxes))


def mean_offset(backend: Backend, records: Sequence[FaceRecord], boxes: str) -> NDArray[np.float32]:
    """Return the mean error (k, 2) of each point of a model over faces in its scheme, normalised to its crop."""
    residuals, crop = [], backend.spec.crop
    for record in records:
        affine = crop_affine(record.boxes[boxes], crop)
        truth = normalise(apply_affine(affine, record.landmarks), crop.size, crop.size)
        residuals.append(backend(warp(read_image(record.image), affine, crop.size)[None])[0] - truth)
    return np.mean(residuals, axis=0).astype(np.float32)
