"""Training faces of 300-W."""

from pathlib import Path

import numpy as np

from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord
from scripts.studies.common.split_300w import TRAIN


def training_faces(data: Path, count: int | None = None) -> list[FaceRecord]:
    """Return the training faces of DATA/300W, or `count` of them at even distances."""
    faces = read_faces("300w", data / "300W", parse_subsets(TRAIN), "ibug68")
    if count is None or count >= len(faces):
        return faces
    return [faces[int(index)] for index in np.linspace(0, len(faces) - 1, count)]
