"""Calibration of the uncertainty of heatmaps: the share of errors inside the predicted ellipses.

STAR trains the covariance of every map to follow the ambiguity of its landmark, so it needs no further output.
It is calibrated when 68 % of the errors lie within the 68 % ellipses; `scale` corrects it where they do not.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from distill.evaluate.faces import FaceSet
from distill.geometry import apply_affine, crop_affine, normalise
from distill.images import read_image, warp
from distill.inference.backend import Backend
from distill.inference.torch_backend import TorchBackend
from distill.landmarks import load_scheme
from distill.losses.star import moments

LEVELS = (0.5, 0.683, 0.9, 0.954)


def mahalanobis(errors: NDArray[np.floating], covariances: NDArray[np.floating]) -> NDArray[np.float64]:
    """Squared length of errors (..., 2) in units of their covariances (..., 3), given as (xx, xy, yy)."""
    e, (xx, xy, yy) = np.asarray(errors, np.float64), np.moveaxis(np.asarray(covariances, np.float64), -1, 0)
    determinant = np.maximum(xx * yy - xy**2, 1e-30)
    x, y = e[..., 0], e[..., 1]
    return (yy * x**2 - 2 * xy * x * y + xx * y**2) / determinant


def coverage(squared: NDArray[np.floating], groups: Mapping[str, tuple[int, ...]] | None = None) -> dict[str, Any]:
    """Compare squared Mahalanobis lengths (n, k) with the chi-square of two dimensions they should follow.

    NaN stands for a point that is not annotated.

    Returns:
        `inside_percent`: for each of `LEVELS` (in percent) the share of points inside that ellipse; `scale`: what to
        multiply the ellipses' axes with so that half of the points are inside the 50 % ones (above 1: the model is too
        sure of itself); the same by part of the face.
    """
    known = squared[np.isfinite(squared)]
    found: dict[str, Any] = {
        # In two dimensions the ellipse that holds the share p has squared radius -2 ln(1 - p).
        "inside_percent": {f"{100 * p:g}": 100 * float((known <= -2 * np.log1p(-p)).mean()) for p in LEVELS},
        "scale": float(np.sqrt(np.median(known) / (2 * np.log(2)))),
    }
    if groups:
        found["groups"] = {name: coverage(squared[:, list(points)]) for name, points in groups.items()}
    return found


def map_covariances(heatmaps: Float[torch.Tensor, "b k h w"]) -> NDArray[np.float64]:
    """Return the covariances (b, k, 3) of maps as (xx, xy, yy), in squared sides of the crop."""
    _, covariance = moments(heatmaps.float())
    # `moments` counts in half sides.
    return covariance.cpu().double().numpy() / 4


def calibration(backend: Backend, faces: FaceSet, batch_size: int = 32) -> dict[str, Any] | None:
    """Compare a network's own ellipses with its errors on faces.

    Returns:
        as `coverage`; None where the model is an exported file or predicts no heatmaps.
    """
    if not isinstance(backend, TorchBackend) or faces.scheme != backend.spec.scheme:
        return None
    crop, squared = faces.crop(backend.spec), []
    for start in range(0, len(faces.records), batch_size):
        batch = faces.records[start : start + batch_size]
        affines = [crop_affine(record.boxes[faces.boxes], crop) for record in batch]
        pairs = list(zip(batch, affines, strict=True))
        crops = np.stack([warp(read_image(record.image), affine, crop.size) for record, affine in pairs])
        prediction = backend.outputs(crops)
        if prediction.heatmaps is None:
            return None
        truth = np.stack([apply_affine(affine, record.landmarks) for record, affine in pairs])
        errors = prediction.landmarks.float().cpu().numpy() - normalise(truth, crop.size, crop.size)
        lengths = mahalanobis(errors, map_covariances(prediction.heatmaps))
        squared.append(np.where(np.stack([record.known for record in batch]), lengths, np.nan))
    return coverage(np.concatenate(squared), load_scheme(faces.scheme).groups)
