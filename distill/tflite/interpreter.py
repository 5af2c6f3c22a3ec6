"""Interpreter of the installed TFLite runtime, LiteRT or tflite-runtime."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import CheckpointError, ConfigError, first_line


def interpreter_class() -> Any:
    """Return the interpreter of LiteRT, else of the older tflite-runtime; they have the same interface."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise ConfigError("no TFLite runtime is installed; run `pip install ai-edge-litert`") from error
    return Interpreter


class TFLiteNet:
    """A TFLite file with one float32 NHWC input, ready to run.

    Attributes:
        input_shape: (b, h, w, 3).
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        """Load the file.

        Raises:
            CheckpointError: the file is missing, is not a TFLite model, or uses something this runtime lacks.
            ConfigError: no TFLite runtime is installed.
        """
        self._path = path = Path(path)
        if not path.is_file():
            raise CheckpointError(f"{path}: no such model file")
        if path.read_bytes()[4:8] != b"TFL3":
            raise CheckpointError(f"{path}: not a TFLite file (no TFL3 mark); export or download it again")
        try:
            self._interpreter = interpreter_class()(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = first_line(error)
            raise CheckpointError(f"{path}: this TFLite runtime cannot load it ({reason})") from error
        entry = self._interpreter.get_input_details()[0]
        self.input_shape: tuple[int, ...] = tuple(int(size) for size in entry["shape"])
        if entry["dtype"] is not np.float32:
            raise CheckpointError(
                f"{path}: takes {np.dtype(entry['dtype'])} input, this program gives float32; convert it with float32 "
                "input and output"
            )
        self._path = path
        self._input = entry["index"]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def resize(self, height: int, width: int) -> None:
        """Change the size of the input, for a network whose graph holds no constant sizes.

        Raises:
            CheckpointError: the graph does not allow this size.
        """
        shape = (self.input_shape[0], height, width, self.input_shape[3])
        if shape == self.input_shape:
            return
        try:
            self._interpreter.resize_tensor_input(self._input, list(shape))
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = first_line(error)
            raise CheckpointError(f"{self._path}: it does not take {width}x{height} px ({reason})") from error
        self.input_shape = shape

    def __call__(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run one batch (b, h, w, 3) float32 and return every output.

        Raises:
            CheckpointError: the file takes other inputs, or fails in this runtime.
        """
        try:
            self._interpreter.set_tensor(self._input, np.ascontiguousarray(images, np.float32))
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            reason = first_line(error)
            raise CheckpointError(f"{self._path}: this TFLite runtime cannot run it ({reason})") from error
        return [self._interpreter.get_tensor(index) for index in self._outputs]
