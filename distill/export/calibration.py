"""Calibration data for integer quantization: plain crops of faces, chosen by seed, identified by hash."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from distill.data.crops import plain_crop
from distill.data.readers import parse_subsets, read_faces
from distill.data.synthetic import render_face
from distill.errors import ConfigError
from distill.export.config import CalibrationConfig
from distill.geometry import Box, box_of_points
from distill.images import Photo, read_image
from distill.spec import ModelSpec

# Seeds of generated faces start here; training and the parity checks use others.
_SEED = 70_001


@dataclass(frozen=True, eq=False)
class Calibration:
    """Crops to calibrate with.

    Attributes:
        crops: (n, h, w, 3) float32 RGB in [0, 1].
        source: description of where they come from.
        data_hash: SHA-256 over their pixels, in order.
    """

    crops: NDArray[np.float32]
    source: str
    data_hash: str

    def require_apart(self, others: NDArray[np.float32]) -> None:
        """Refuse calibration faces that are also measured: the ranges would fit them too well.

        Raises:
            ConfigError: naming the first face in both.
        """
        measured = {crop.tobytes() for crop in others}
        shared = [index for index, crop in enumerate(self.crops) if crop.tobytes() in measured]
        if shared:
            raise ConfigError(
                f"{len(shared)} calibration faces (first: number {shared[0]} of {self.source}) are among those "
                "measured; calibrate on training faces"
            )


def calibrate_on(spec: ModelSpec, config: CalibrationConfig) -> Calibration:
    """Draw the faces and crop them with the spec of the model, without augmentation.

    Raises:
        ConfigError, AnnotationError, ImageError: the data cannot be read.
    """
    if config.format is None or config.root is None:
        faces = [_generated(config.seed, index) for index in range(config.faces)]
        source = f"generated faces, seed {config.seed}"
    else:
        records = read_faces(config.format, config.root, parse_subsets(config.subset))
        count = min(config.faces, len(records))
        chosen = np.random.default_rng(config.seed).choice(len(records), count, replace=False)
        faces = [(read_image(records[index].image), records[index].boxes["gt"]) for index in chosen]
        source = f"{config.format} {config.subset}, seed {config.seed}"
    crops = np.stack([plain_crop(photo, box, spec) for photo, box in faces])
    return Calibration(crops, source, sha256(crops.tobytes()).hexdigest())


def _generated(seed: int, index: int) -> tuple[Photo, Box]:
    face = render_face(_SEED + seed, index)
    return face.image, box_of_points(face.landmarks["ibug68"])
