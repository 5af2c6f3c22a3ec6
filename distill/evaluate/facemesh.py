"""MediaPipe FaceMesh as a peer: what a user would take today, measured through the same door as our own models.

Its 468 points are of another convention; the 51 nearest to iBUG's inner points are used, and since some of them lie
elsewhere by design, a constant offset fitted on training faces is the fair (and generous) way to compare.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from distill.detector import locate_model
from distill.evaluate.evaluate import UNCHANGED, measure
from distill.evaluate.faces import FaceSet
from distill.evaluate.predictors import FACEMESH, Crops, Landmarks, Predictor
from distill.files import sha256
from distill.geometry import CropSpec, apply_affine, crop_affine, normalise
from distill.images import read_image, warp
from distill.interpreter import TFLiteNet
from distill.spec import ModelSpec

_SCHEME, _SIZE = "inner51", 192
# Vertices of the mesh, in the order of the scheme: brows, nose, eyes, outer and inner lip.
_VERTICES = (
    (71, 63, 105, 66, 107, 336, 296, 334, 293, 301)
    + (168, 197, 5, 4, 75, 97, 2, 326, 305)
    + (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
    + (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
    + (78, 82, 13, 312, 308, 317, 14, 87)
)
_SCALES, _SHIFTS = (1.2, 1.35, 1.5, 1.65, 1.8), (-0.2, -0.1, 0.0)


class FaceMeshPredictor(Predictor):
    """The landmark net of MediaPipe FaceMesh, from the mediapipe wheel.

    Args:
        crop: how faces are cut out for it; `tuned` finds what suits its training.
        offset: (51, 2) to subtract, normalised to the crop.

    Raises:
        ConfigError: mediapipe 0.10.21 is not installed.
    """

    def __init__(self, crop: CropSpec | None = None, offset: NDArray[np.float32] | None = None) -> None:
        path = locate_model("face_landmark.tflite", part="face_landmark")
        self._net, self.sha256 = TFLiteNet(path), sha256(path)
        self.spec = ModelSpec(FACEMESH, _SCHEME, len(_VERTICES), crop or CropSpec(_SIZE, 1.5, -0.1))
        self.runtime = "mediapipe's face_landmark.tflite" + ("" if offset is None else ", offset fitted")
        self.offset = offset

    def __call__(self, crops: Crops) -> Landmarks:
        points = np.stack([self._mesh(crop)[list(_VERTICES)] for crop in crops])
        return points if self.offset is None else points - self.offset

    def _mesh(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = self._net(crop[None].astype(np.float32) / 255)
        mesh = max(outputs, key=np.size).reshape(-1, 3)[:, :2]
        # The net counts pixels from the outer edge of the first.
        return (mesh / _SIZE).astype(np.float32)


def tuned(faces: FaceSet) -> tuple[FaceMeshPredictor, FaceMeshPredictor]:
    """Return the peer at its best crop, raw and with its constant offset, both chosen on `faces` (training faces).

    Raises:
        ConfigError: mediapipe 0.10.21 is not installed.
    """
    few = replace(faces, records=faces.records[:: max(1, len(faces.records) // 100)])
    few = replace(few, distances={k: v[:: max(1, len(faces.records) // 100)] for k, v in faces.distances.items()})
    crops = [CropSpec(_SIZE, scale, shift) for scale, shift in product(_SCALES, _SHIFTS)]
    errors = [_error(FaceMeshPredictor(crop), few) for crop in crops]
    best = crops[int(np.argmin(errors))]
    offset = _residual(FaceMeshPredictor(best), faces.records, faces.boxes)
    return FaceMeshPredictor(best), FaceMeshPredictor(best, offset)


def _error(predictor: FaceMeshPredictor, faces: FaceSet) -> float:
    found = measure(predictor, faces, FACEMESH, progress=False)[UNCHANGED]
    residual = found.offsets
    # The spread about the mean error, because that mean is what the offset takes away.
    spread = np.linalg.norm(residual - residual.mean(0), axis=-1).mean(1)
    return float((spread / found.distances[found.primary]).mean())


def _residual(predictor: FaceMeshPredictor, records: Sequence, boxes: str) -> NDArray[np.float32]:
    """Mean error (51, 2) over faces, normalised to the crop."""
    residuals, crop = [], predictor.spec.crop
    for record in records:
        affine = crop_affine(record.boxes[boxes], crop)
        truth = normalise(apply_affine(affine, record.landmarks), crop.size, crop.size)
        residuals.append(predictor(warp(read_image(record.image), affine, crop.size)[None])[0] - truth)
    return np.mean(residuals, axis=0).astype(np.float32)
