"""Run the landmark network of MediaPipe FaceMesh, for comparison with the project's own models.

Its 468 points follow another convention; the 51 nearest to iBUG's inner points are used. Some of them lie elsewhere by
design, so `distill.evaluate.facemesh` also fits a constant offset on training faces.
"""

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError
from distill.files import sha256
from distill.geometry import CropSpec
from distill.inference.backend import Backend, Images, Landmarks, as_float
from distill.inference.load import FACEMESH
from distill.spec import ModelSpec
from distill.tflite.interpreter import TFLiteNet

_SCHEME = "inner51"
SIZE = 192
# Vertices of the mesh, in the order of the scheme: brows, nose, eyes, outer and inner lip.
_VERTICES = (
    (71, 63, 105, 66, 107, 336, 296, 334, 293, 301)
    + (168, 197, 5, 4, 75, 97, 2, 326, 305)
    + (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
    + (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
    + (78, 82, 13, 312, 308, 317, 14, 87)
)


def mediapipe_file(part: str, file: str) -> Path:
    """Return the path of a network in the installed mediapipe wheel, without importing mediapipe.

    Args:
        part: folder of the wheel's `modules`, such as `face_landmark`.
        file: name of a TFLite file in it.

    Raises:
        ConfigError: mediapipe is not installed, or is a release without this file.
    """
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"{file}: mediapipe is not installed; run `pip install mediapipe==0.10.21`")
    path = Path(spec.submodule_search_locations[0]) / "modules" / part / file
    if not path.is_file():
        raise ConfigError(f"{path}: no such network; mediapipe 0.10.21 is the last wheel that holds it")
    return path


class FaceMeshBackend(Backend):
    """The landmark net of MediaPipe FaceMesh, from the mediapipe wheel.

    Args:
        crop: how faces are cut out for it; `tuned` finds the best one.

    Raises:
        ConfigError: mediapipe 0.10.21 is not installed.
    """

    def __init__(self, crop: CropSpec | None = None) -> None:
        path = mediapipe_file("face_landmark", "face_landmark.tflite")
        self._net = TFLiteNet(path)
        self.sha256 = sha256(path)
        self.spec = ModelSpec(FACEMESH, _SCHEME, len(_VERTICES), crop or CropSpec(SIZE, 1.5, -0.1))
        self.runtime = "mediapipe's face_landmark.tflite"

    def __call__(self, images: Images, /) -> Landmarks:
        return np.stack([self._mesh(image)[list(_VERTICES)] for image in as_float(images)])

    def _mesh(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        outputs = self._net(image[None])
        mesh = max(outputs, key=np.size).reshape(-1, 3)[:, :2]
        # The net counts pixels from the outer edge of the first.
        return (mesh / SIZE).astype(np.float32)
