"""Exported RetinaFace networks, TFLite or ONNX, on inputs of any size."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import CheckpointError, ConfigError
from distill.images import Photo
from distill.tflite.interpreter import TFLiteNet

Maps = list[NDArray[np.float32]]


class NetFile:
    """A detector file: an image (h, w, 3) uint8 RGB, sides multiples of 32 -> output maps (1, rows, columns, channels).

    Raises:
        CheckpointError: missing or broken file, or another suffix than .tflite and .onnx.
        ConfigError: the runtime of this format is not installed.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self._path = Path(path)
        if self._path.suffix not in (".tflite", ".onnx"):
            raise CheckpointError(f"{path}: a detector is a .tflite or .onnx file; export one from a checkpoint")
        self._tflite: TFLiteNet | None = None
        self._session: Any = None
        if self._path.suffix == ".tflite":
            self._tflite = TFLiteNet(path, threads)
        else:
            self._session = _onnx_session(self._path, threads)

    def __call__(self, image: Photo) -> Maps:
        height, width = image.shape[:2]
        inputs = image.astype(np.float32)[None]
        inputs /= 255
        if self._tflite is not None:
            self._tflite.resize(height, width)
            return self._tflite(inputs)
        name = self._session.get_inputs()[0].name
        return list(self._session.run(None, {name: inputs}))


def _onnx_session(path: Path, threads: int) -> Any:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such detector file")
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError("ONNX Runtime is not installed; run `pip install onnxruntime`") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class but Exception
        raise CheckpointError(f"{path}: ONNX Runtime cannot load it; export it again") from error
