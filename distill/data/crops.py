"""Unaugmented face crops with landmarks, for comparing models."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from distill.data.readers import parse_subsets, read_faces
from distill.data.synthetic import render_face
from distill.errors import ConfigError
from distill.geometry import Box, apply_affine, box_of_points, crop_affine, normalise
from distill.images import Photo, read_image, warp
from distill.landmarks import convert
from distill.spec import ModelSpec

# Generated faces used where no data is given; never used in training.
_SEED = 90001


def face_crops(
    spec: ModelSpec, count: int, format: str | None = None, root: Path | None = None, subset: str | None = None
) -> tuple[Float[ndarray, "n s s 3"], Float[ndarray, "n k 2"]]:
    """Return `count` crops as model inputs, in [0, 1], and landmarks normalised to them, NaN where unmarked.

    Faces are spread evenly over the data set; without a format they are generated.

    Raises:
        ConfigError: fewer than one face requested.
    """
    if count < 1:
        raise ConfigError(f"{count} faces requested; request 1 or more")
    size = spec.crop.size
    crops = []
    landmarks = []
    if format is None or root is None:
        faces = _generated(count, spec.scheme)
    else:
        faces = _read(count, spec.scheme, format, root, subset)
    for photo, points, box in faces:
        crops.append(plain_crop(photo, box, spec))
        landmarks.append(normalise(apply_affine(crop_affine(box, spec.crop), points), size, size))
    return np.stack(crops), np.stack(landmarks)


def plain_crop(photo: Photo, box: Box, spec: ModelSpec) -> Float[ndarray, "s s 3"]:
    """Return the face in `box` as a model input, float32 in [0, 1], unaugmented."""
    return warp(photo, crop_affine(box, spec.crop), spec.crop.size).astype(np.float32) / 255


def _generated(count: int, scheme: str) -> Iterator[tuple[Photo, ndarray, Box]]:
    for index in range(count):
        face = render_face(_SEED, index)
        source = scheme if scheme in face.landmarks else "ibug68"
        points = convert(face.landmarks[source], source, scheme)
        yield face.image, points, box_of_points(face.landmarks["ibug68"])


def _read(count: int, scheme: str, format: str, root: Path, subset: str | None) -> Iterator[tuple[Photo, ndarray, Box]]:
    # The scheme is passed to the reader: a data set may hold its points in several, and one of them exactly.
    records = read_faces(format, root, parse_subsets(subset), scheme)
    for index in np.linspace(0, len(records) - 1, min(count, len(records))).astype(int):
        record = records[index]
        points = np.where(record.known[:, None], record.landmarks, np.float32(np.nan))
        yield read_image(record.image), points, record.boxes["gt"]
