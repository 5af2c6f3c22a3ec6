"""One call for every kind of model file: crops in, normalised points out."""

from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distill.errors import CheckpointError
from distill.files import sha256
from distill.inference.landmarker import OnnxModel, TFLiteModel
from distill.landmarks import load_scheme
from distill.spec import ModelSpec, read_sidecar

if TYPE_CHECKING:
    from distill.models import Prediction

FACEMESH = "facemesh"

Crops = NDArray[np.uint8]
Landmarks = NDArray[np.float32]


class Predictor(ABC):
    """A model file ready to run.

    Attributes:
        spec: which points it returns and the crop it wants.
        runtime: what computes it, with version.
        sha256: of the file.
    """

    spec: ModelSpec
    runtime: str
    sha256: str

    @abstractmethod
    def __call__(self, crops: Crops) -> Landmarks:
        """Crops (n, s, s, 3) uint8 RGB -> points (n, k, 2) float32, normalised to the crop."""


def _version(*packages: str) -> str:
    """The first of these packages that is installed, and its version."""
    for package in packages:
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
    return packages[0]


def _checked(points: Landmarks, path: Path, spec: ModelSpec) -> Landmarks:
    if points.shape[1:] != (spec.n_points, 2):
        shape = "x".join(map(str, points.shape))
        raise CheckpointError(f"{path}: returns {shape} where {spec.n_points} points were promised; export it again")
    return points


class TorchPredictor(Predictor):
    """A `.ckpt` or `.safetensors`, on the GPU where there is one."""

    def __init__(self, path: Path, threads: int) -> None:
        import torch

        from distill.models.checkpoint import load_model

        del threads  # torch has one setting for the whole process, which is the caller's
        net, self.spec = load_model(path)
        self.path, self.sha256 = path, sha256(path)
        self.runtime = f"torch {torch.__version__}"
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._net = net.to(self._device)

    def prediction(self, crops: Crops) -> "Prediction":
        """Everything the network says about the crops, as tensors on its device."""
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device).permute(0, 3, 1, 2).float() / 255
            prediction: Prediction = self._net(images)
        return prediction

    def __call__(self, crops: Crops) -> Landmarks:
        return _checked(self.prediction(crops).landmarks.float().cpu().numpy(), self.path, self.spec)


class _ExportedPredictor(Predictor):
    """An exported file, run by the same class as in `distill predict`."""

    engine: type[OnnxModel] | type[TFLiteModel]
    packages: tuple[str, ...]

    def __init__(self, path: Path, threads: int) -> None:
        self.spec = read_sidecar(path)
        self.path, self.sha256 = path, sha256(path)
        self._model = self.engine(path, threads)
        self.runtime = _version(*self.packages)

    def __call__(self, crops: Crops) -> Landmarks:
        return _checked(self._model(crops.astype(np.float32) / 255), self.path, self.spec)


class OnnxPredictor(_ExportedPredictor):
    """An `.onnx` in ONNX Runtime."""

    engine, packages = OnnxModel, ("onnxruntime",)


class TFLitePredictor(_ExportedPredictor):
    """A `.tflite` in whichever runtime is installed."""

    engine, packages = TFLiteModel, ("ai-edge-litert", "tflite-runtime")


_BACKENDS: dict[str, type[TorchPredictor] | type[OnnxPredictor] | type[TFLitePredictor]] = {
    ".ckpt": TorchPredictor,
    ".safetensors": TorchPredictor,
    ".onnx": OnnxPredictor,
    ".tflite": TFLitePredictor,
}


def load_predictor(path: str | Path, threads: int = 1) -> Predictor:
    """Load a checkpoint, an ONNX or a TFLite file.

    Args:
        path: `.ckpt`, `.safetensors`, `.onnx` or `.tflite`; the last two with their `.json` beside them. `facemesh`
            is the landmark net of MediaPipe, where that is installed.
        threads: for ONNX and TFLite.

    Raises:
        CheckpointError: missing, empty, a web page instead of weights, of unknown kind, or made for another model.
    """
    path = Path(path)
    if str(path) == FACEMESH:
        from distill.inference.facemesh import FaceMeshPredictor

        return FaceMeshPredictor()
    if not path.is_file():
        raise CheckpointError(f"{path}: no such model file; give one of {', '.join(f'*{s}' for s in _BACKENDS)}")
    with path.open("rb") as file:
        start = file.read(256).lstrip()
    if not start:
        raise CheckpointError(f"{path}: the file is empty; copy or download it again")
    if start[:1] == b"<":
        raise CheckpointError(f"{path}: a web page, not a model (it starts with {_shown(start)}); download it again")
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path}: a Git LFS pointer, not a model; run `git lfs pull`")
    if path.suffix not in _BACKENDS:
        raise CheckpointError(f"{path}: unknown kind of model '{path.suffix}'; give one of {', '.join(_BACKENDS)}")
    return _BACKENDS[path.suffix](path, threads)


def _shown(start: bytes) -> str:
    return repr(start[:15].decode("latin-1"))


def predict_with_flip(predictor: Predictor, crops: Crops) -> Landmarks:
    """Return the mean of the predictions for the crops and, moved back, for their mirror images."""
    mirrored = predictor(crops[:, :, ::-1])
    # The edges of the crop are 0 and 1, so x mirrors to 1 - x; left and right points change places.
    back = mirrored * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32)
    swap = list(load_scheme(predictor.spec.scheme).flip)
    return (predictor(crops) + back[:, swap]) / 2
