"""One interface for a landmark model in any runtime: `Backend`. `open_backend` in `load.py` makes one from a file."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from distill.errors import CheckpointError, ImageError
from distill.spec import ModelSpec

Images = NDArray[Any]
Landmarks = NDArray[np.float32]
Confidence = NDArray[np.float32]

# Crops that were resized in floats leave [0, 1] by so much.
_OVERSHOOT = 1e-3


class Predict(Protocol):
    """The call of a backend; a function with this signature is enough where nothing else of it is needed."""

    def __call__(self, images: Images, /) -> Landmarks:
        """Return the landmarks (n, k, 2) float32 of crops, normalised to the crop.

        Args:
            images: (n, h, w, 3) RGB crops, floats in [0, 1] or uint8.
        """
        ...


class Backend(Predict, Protocol):
    """A landmark model that is ready to run.

    Attributes:
        spec: landmark scheme and crop of the model.
        runtime: library that runs it, with version.
        sha256: of the model file.
        batch: crops that one call of the model takes; any number is run in batches of that many.
    """

    spec: ModelSpec
    runtime: str
    sha256: str
    batch: int = 1

    def with_confidence(self, images: Images, /) -> tuple[Landmarks, Confidence | None]:
        """Return the landmarks (n, k, 2) of crops and the confidence (n, k) of each in [0, 1].

        The confidence is None where the model gives none: a network without heatmaps, or a file exported without.
        """
        return self(images), None


def as_float(images: Images) -> NDArray[np.float32]:
    """Return crops as float32 in [0, 1]; uint8 is divided by 255.

    Raises:
        ImageError: another data type, or floats outside [0, 1].
    """
    if images.dtype == np.uint8:
        return images.astype(np.float32) / 255
    if not np.issubdtype(images.dtype, np.floating):
        raise ImageError(f"crops of {images.dtype}: give uint8, or floats in [0, 1]")
    low, high = float(images.min()), float(images.max())
    if not (low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT):
        raise ImageError(f"crops of floats from {low:.4g} to {high:.4g}: give uint8, or floats in [0, 1]")
    return images.astype(np.float32, copy=False)


def require_crops(images: Images, spec: ModelSpec) -> None:
    """Check that crops are an array of the shape that a model takes; `as_float` checks their values.

    Raises:
        ImageError: they are no crops of this model, or there are none.
    """
    size = spec.crop.size
    if not isinstance(images, np.ndarray):
        raise ImageError(f"{type(images).__name__} is no array of crops; give one (n, {size}, {size}, 3), n at least 1")
    if images.ndim != 4 or images.shape[1:] != (size, size, 3) or not len(images):
        raise ImageError(f"crops of shape {images.shape}: this model takes (n, {size}, {size}, 3), n at least 1")


def checked(points: Landmarks, path: Path, spec: ModelSpec) -> Landmarks:
    """Return landmarks (n, k, 2) unchanged.

    Raises:
        CheckpointError: they do not have the shape that the spec names.
    """
    if points.ndim != 3 or points.shape[1:] != (spec.n_points, 2):
        raise CheckpointError(
            f"{path}: it returns {points.shape}, its spec names {spec.n_points} points; export it again"
        )
    return points


def checked_confidence(confidence: Confidence, path: Path, spec: ModelSpec) -> Confidence:
    """Return confidences (n, k) unchanged.

    Raises:
        CheckpointError: they do not have the shape that the spec names.
    """
    if confidence.ndim != 2 or confidence.shape[1] != spec.n_points:
        raise CheckpointError(
            f"{path}: its second output is {confidence.shape}, not the confidence of {spec.n_points} points; "
            "export it again"
        )
    return confidence


def installed(*packages: str) -> str:
    """Return name and version of the first of these packages that is installed."""
    for package in packages:
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
    return packages[0]
