"""Backends of exported files: TFLite and ONNX. Need neither torch nor tensorflow."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.errors import CheckpointError
from distill.files import sha256
from distill.inference.backend import Backend, Images, Landmarks, as_float, checked, installed
from distill.inference.onnx_session import first_line, open_session
from distill.spec import read_sidecar
from distill.tflite.interpreter import TFLiteNet

_FLOAT = "tensor(float)"


class _ExportedBackend(Backend):
    """An exported file with its sidecar; exported models have a batch of one."""

    packages: tuple[str, ...]
    input_shape: tuple[int, ...]

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        """Load the file and run it once.

        Raises:
            CheckpointError: missing, broken, unknown to this runtime, or input or output do not fit the sidecar.
            ConfigError: the runtime of this format is not installed.
        """
        self.path = Path(path)
        self.spec = read_sidecar(path)
        self.sha256 = sha256(path)
        self.runtime = installed(*self.packages)
        self._open(threads)
        size = self.spec.crop.size
        if tuple(self.input_shape[1:]) != (size, size, 3):
            raise CheckpointError(
                f"{path}: its input is {self.input_shape}, its sidecar says {size} px; export it again"
            )
        self(np.zeros((1, size, size, 3), np.float32))

    def __call__(self, images: Images, /) -> Landmarks:
        outputs = [self._run(image[None]) for image in as_float(images)]
        if outputs and outputs[0].dtype != np.float32:
            raise CheckpointError(
                f"{self.path}: returns {outputs[0].dtype}, not float32; convert it with float32 output"
            )
        return checked(np.concatenate(outputs), self.path, self.spec)

    def _open(self, threads: int) -> None:
        """Load the file and set `input_shape`."""
        raise NotImplementedError

    def _run(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run one image (1, h, w, 3) and return the first output."""
        raise NotImplementedError


class TFLiteBackend(_ExportedBackend):
    """A `.tflite` file in LiteRT or tflite-runtime."""

    packages = ("ai-edge-litert", "tflite-runtime")

    def _open(self, threads: int) -> None:
        self._net = TFLiteNet(self.path, threads)
        self.input_shape = self._net.input_shape

    def _run(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._net(image)[0]


class OnnxBackend(_ExportedBackend):
    """An `.onnx` file in ONNX Runtime."""

    packages = ("onnxruntime",)

    def _open(self, threads: int) -> None:
        self._session = open_session(self.path, threads)
        entry = self._session.get_inputs()[0]
        if entry.type != _FLOAT:
            raise CheckpointError(f"{self.path}: takes {entry.type}, this program gives {_FLOAT}; export it again")
        self._input = entry.name
        self.input_shape = tuple(entry.shape)

    def _run(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            output: NDArray[np.float32] = self._session.run(None, {self._input: np.ascontiguousarray(image)})[0]
        except Exception as error:  # its errors share no base class but Exception
            raise CheckpointError(f"{self.path}: ONNX Runtime cannot run it ({first_line(error)})") from error
        return output
