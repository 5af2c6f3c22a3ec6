"""Backends of exported files: TFLite and ONNX. Need neither torch nor tensorflow."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.errors import CheckpointError, first_line
from distill.files import sha256
from distill.inference.backend import (
    Backend,
    Confidence,
    Images,
    Landmarks,
    as_float,
    checked,
    checked_confidence,
    installed,
    require_crops,
)  # fmt: skip
from distill.inference.batches import padded_batches
from distill.inference.onnx_session import open_session
from distill.spec import read_sidecar
from distill.tflite.interpreter import TFLiteNet

_FLOAT = "tensor(float)"


class _ExportedBackend(Backend):
    """An exported file with its sidecar.

    A file has a fixed batch, of one crop by default. Any number of crops is run in whole batches.
    """

    packages: tuple[str, ...]
    input_shape: tuple[int, ...]

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        """Load the file and run it once.

        Raises:
            CheckpointError: missing, broken, unknown to this runtime, input or output do not fit the sidecar, or the
                output is not finite.
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
        first = self.input_shape[0]
        self.batch = first if isinstance(first, int) else 1  # an open dimension has a name or None
        points = self(np.zeros((1, size, size, 3), np.float32))
        if not np.isfinite(points).all():
            raise CheckpointError(f"{path}: returns NaN or infinity; its weights are broken, export it again")

    def __call__(self, images: Images, /) -> Landmarks:
        return self.with_confidence(images)[0]

    def with_confidence(self, images: Images, /) -> tuple[Landmarks, Confidence | None]:
        require_crops(images, self.spec)
        runs = [self._run(batch) for batch in padded_batches(as_float(images), self.batch)]
        for output in runs[0]:
            if output.dtype != np.float32:
                raise CheckpointError(
                    f"{self.path}: returns {output.dtype}, not float32; convert it with float32 output"
                )
        points, *others = (np.concatenate(outputs)[: len(images)] for outputs in zip(*runs, strict=True))
        confidence = checked_confidence(others[0], self.path, self.spec) if others else None
        return checked(points, self.path, self.spec), confidence

    def _open(self, threads: int) -> None:
        """Load the file and set `input_shape`."""
        raise NotImplementedError

    def _run(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run one batch (b, h, w, 3) and return the landmarks and, where the file has it, their confidence."""
        raise NotImplementedError


class TFLiteBackend(_ExportedBackend):
    """A `.tflite` file in LiteRT or tflite-runtime."""

    packages = ("ai-edge-litert", "tflite-runtime")

    def _open(self, threads: int) -> None:
        self._net = TFLiteNet(self.path, threads)
        self.input_shape = self._net.input_shape

    def _run(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return self._net(images)


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

    def _run(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(None, {self._input: np.ascontiguousarray(images)})
        except Exception as error:  # its errors share no base class but Exception
            raise CheckpointError(f"{self.path}: ONNX Runtime cannot run it ({first_line(error)})") from error
        return outputs
