"""Training faces of 300-W at several scales, and the detection that shows a face."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.detection.retinaface.decode_maps import Candidates
from distill.images import Photo, read_image
from scripts.studies.common.split_300w import TRAIN

# Faces of about 230, 80 and 35 px.
SCALES = (1.0, 0.35, 0.15)


def training_faces(data: Path, count: int | None = None) -> list[FaceRecord]:
    """Return the training faces of DATA/300W, or `count` of them at even distances."""
    faces = read_faces("300w", data / "300W", parse_subsets(TRAIN), "ibug68")
    if count is None or count >= len(faces):
        return faces
    return [faces[int(index)] for index in np.linspace(0, len(faces) - 1, count)]


def at_scales(face: FaceRecord) -> Iterator[tuple[Photo, NDArray[np.float64]]]:
    """Yield the photo of a face at every scale, and the tight box (4,) of the 68 points in it."""
    photo = read_image(face.image)
    for scale in SCALES:
        small = photo if scale == 1 else cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield small, (np.array(face.boxes["gt"]) + 0.5) * scale - 0.5


def nearest(found: Candidates, box: NDArray[np.float64]) -> int | None:
    """Return the index of the detection of the face in `box`: its centre is nearest, within half the longer side."""
    if not len(found.boxes):
        return None
    distance = np.abs(found.boxes[:, :2] + found.boxes[:, 2:] - box[:2] - box[2:]).max(axis=1) / 2
    index = int(distance.argmin())
    return index if distance[index] < (box[2:] - box[:2]).max() / 2 else None
