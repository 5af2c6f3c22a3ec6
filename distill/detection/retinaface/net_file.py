"""Exported RetinaFace networks, TFLite or ONNX, on inputs of any size or of one fixed size."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.detection.retinaface.letterbox import filled
from distill.errors import CheckpointError, ConfigError
from distill.images import Photo
from distill.onnx_file import require_embedded
from distill.tflite.interpreter import TFLiteNet

Maps = list[NDArray[np.float32]]

# Sizes that are kept ready: two of the whole photo, one of its tiles, one of the refinement.
_SIZES = 4


class NetFile:
    """A detector file: an image (h, w, 3) uint8 RGB, sides multiples of 32 -> output maps (1, rows, columns, channels).

    Args:
        path: `.tflite` or `.onnx`.
        threads: threads of the runtime.
        side: of the square input of a file whose size is fixed, which returns boxes, scores and points in pixels of it;
            smaller images are filled up at the right and the bottom.

    Raises:
        CheckpointError: missing or broken file, or another suffix than .tflite and .onnx.
        ConfigError: the runtime of this format is not installed.
    """

    def __init__(self, path: str | Path, threads: int = 1, side: int | None = None) -> None:
        self._path, self._side = Path(path), side
        if self._path.suffix not in (".tflite", ".onnx"):
            raise CheckpointError(f"{path}: a detector is a .tflite or .onnx file; export one from a checkpoint")
        self._threads = threads
        # One interpreter for each of the last sizes: resizing plans the graph again, which takes longer than a small
        # input, and the views of a photo alternate between three sizes.
        self._by_size: OrderedDict[tuple[int, int], TFLiteNet] = OrderedDict()
        self._session: Any = None
        if self._path.suffix == ".tflite":
            self._unsized: TFLiteNet | None = TFLiteNet(path, threads)
        else:
            self._session = onnx_session(self._path, threads)

    def __call__(self, image: Photo) -> Maps:
        image = image if self._side is None else filled(image, self._side, self._side)
        height, width = image.shape[:2]
        inputs = image.astype(np.float32)[None]
        inputs /= 255
        if self._session is None:
            return self._sized(height, width)(inputs)
        name = self._session.get_inputs()[0].name
        return list(self._session.run(None, {name: inputs}))

    def _sized(self, height: int, width: int) -> TFLiteNet:
        """Return an interpreter for inputs of this size, the least recently used one where there are enough."""
        net = self._by_size.pop((height, width), None) or self._unsized
        self._unsized = None
        if net is None:
            spare = len(self._by_size) >= _SIZES
            net = self._by_size.popitem(last=False)[1] if spare else TFLiteNet(self._path, self._threads)
        net.resize(height, width)
        self._by_size[height, width] = net
        return net


def onnx_session(path: Path, threads: int) -> Any:
    """Return an ONNX Runtime session of a detector file; errors are those of `NetFile`."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such detector file")
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError("ONNX Runtime is not installed; run `pip install onnxruntime`") from error
    require_embedded(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class but Exception
        raise CheckpointError(f"{path}: ONNX Runtime cannot load it; export it again") from error
