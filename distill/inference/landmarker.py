"""Run an exported model on photos: detect, crop, infer, and put the points back into the photo.

Needs numpy, OpenCV, Pillow and a TFLite runtime (or ONNX Runtime): no torch, no tensorflow. The submission ships this
very file.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distill.detection.detector import Detection, FaceDetector
from distill.errors import CheckpointError, ConfigError
from distill.geometry import Box, CropSpec, Points, apply_affine, crop_affine, denormalise, invert_affine
from distill.images import Photo, read_image, warp
from distill.spec import ModelSpec, read_sidecar
from distill.tflite.interpreter import TFLiteNet


class Face(NamedTuple):
    """A face of a photo, in photo pixels (pixel centres are integers).

    Attributes:
        box: the detector's box, in the convention of the training boxes.
        landmarks: (k, 2) float32.
        score: the detector's, in [0, 1].
    """

    box: Box
    landmarks: Points
    score: float


class Model(Protocol):
    """(n, h, w, 3) float32 RGB in [0, 1] -> (n, k, 2) float32 normalised to the crop."""

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]: ...


class TFLiteModel:
    """An exported landmark model in LiteRT or tflite-runtime."""

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        """Load the file.

        Raises:
            CheckpointError: missing, not TFLite, or unknown to this runtime.
            ConfigError: no TFLite runtime is installed.
        """
        self._net = TFLiteNet(path, threads)
        self.input_shape = self._net.input_shape

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        # Exported models have a batch of one.
        return np.concatenate([self._net(image[None])[0] for image in images])


class OnnxModel:
    """An exported landmark model in ONNX Runtime."""

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        """Load the file.

        Raises:
            CheckpointError: missing or not an ONNX model.
            ConfigError: ONNX Runtime is not installed.
        """
        if not Path(path).is_file():
            raise CheckpointError(f"{path}: no such model file")
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError("ONNX Runtime is not installed; run `pip install onnxruntime`") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no base class but Exception
            reason = str(error).strip().splitlines()[0]
            raise CheckpointError(f"{path}: ONNX Runtime cannot load it ({reason}); export it again") from error
        entry = self._session.get_inputs()[0]
        self._input, self.input_shape = entry.name, tuple(entry.shape)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        outputs = [self._session.run(None, {self._input: np.ascontiguousarray(image[None])})[0] for image in images]
        return np.concatenate(outputs)


_FORMATS: dict[str, type[TFLiteModel] | type[OnnxModel]] = {".tflite": TFLiteModel, ".onnx": OnnxModel}


def load_model(path: str | Path, threads: int = 1) -> tuple[TFLiteModel | OnnxModel, ModelSpec]:
    """Load an exported model by its suffix, together with the spec in the sidecar beside it.

    Raises:
        CheckpointError: missing, broken, of another format, or its output does not fit the sidecar.
        ConfigError: the runtime for this format is not installed.
    """
    path = Path(path)
    if path.suffix not in _FORMATS:
        raise CheckpointError(f"{path}: not an exported model; give a file ending in {' or '.join(_FORMATS)}")
    spec = read_sidecar(path)
    model = _FORMATS[path.suffix](path, threads)
    size = spec.crop.size
    if tuple(model.input_shape[1:]) != (size, size, 3):
        raise CheckpointError(f"{path}: its input is {model.input_shape}, its sidecar says {size} px; export it again")
    shape = model(np.zeros((1, size, size, 3), np.float32)).shape
    if shape != (1, spec.n_points, 2):
        raise CheckpointError(f"{path}: it returns {shape}, its sidecar says {spec.n_points} points; export it again")
    return model, spec


class Landmarker:
    """Photo in, faces with landmarks out: `Landmarker("student.tflite")("photo.jpg")`.

    Attributes:
        spec: what the model is and how faces are cut out for it.
    """

    def __init__(
        self,
        model_path: str | Path,
        detector: Callable[[Photo], list[Detection]] | None = None,
        threads: int = 1,
    ) -> None:
        """Load model and detector.

        Args:
            model_path: a `.tflite` or `.onnx` file with its `.json` beside it.
            detector: finds the faces of a photo; default: `FaceDetector`. Boxes of any other are taken for those the
                model was trained on.
            threads: threads of every net.

        Raises:
            CheckpointError: see `load_model`.
            ConfigError: a runtime or the detector's files are missing.
        """
        self._model, self.spec = load_model(model_path, threads)
        self._detect = detector or FaceDetector(threads=threads)
        self._crop = self.spec.detected_crop if isinstance(self._detect, FaceDetector) else self.spec.crop

    def __call__(self, photo: Photo | str | Path) -> list[Face]:
        """Return the faces of a photo (h, w, 3) uint8 RGB or an image file, best first; empty when there is none.

        Raises:
            ImageError: the file is missing or broken.
        """
        pixels = photo if isinstance(photo, np.ndarray) else read_image(photo)
        found = self._detect(pixels)
        return [Face(box, self.landmarks(pixels, box, self._crop), score) for box, score in found]

    def landmarks(self, photo: Photo, box: Box, crop: CropSpec | None = None) -> Points:
        """Return the points (k, 2) of the face in `box`, in photo pixels.

        Args:
            photo: (h, w, 3) uint8 RGB.
            box: of the kind the model was trained on.
            crop: for boxes of another kind, how they become the input.

        Raises:
            ConfigError: the box has no area.
        """
        if not (box.width > 0 and box.height > 0):
            raise ConfigError(f"face box {tuple(box)} has no area; boxes are x0, y0, x1, y1 in pixels")
        size, affine = self.spec.crop.size, crop_affine(box, crop or self.spec.crop)
        pixels = warp(photo, affine, size).astype(np.float32) / 255
        points = denormalise(self._model(pixels[None])[0], size, size)
        return apply_affine(invert_affine(affine), points)
