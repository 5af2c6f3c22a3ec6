"""Job description of a converter lane."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.export.config import Lane
from distill.tflite.model import Model


@dataclass(frozen=True, eq=False)
class Quantization:
    """What the integer modes need beside the graph.

    Attributes:
        inputs: returns inputs (b, h, w, 3) float32 to find the ranges of activations with; sizes may differ where the
            graph holds no constant ones.
        float_names: returns, for each calibrated mode, the tensors of a float file whose operators stay in floats.
    """

    inputs: Callable[[], Iterable[NDArray[np.float32]]]
    float_names: Callable[[Model], Mapping[str, Sequence[str]]]


@dataclass(frozen=True, eq=False)
class Job:
    """A conversion.

    Attributes:
        onnx: graph with one image input of fixed shape.
        folder: for temporary files.
        modes: names in `MODES`.
        quantization: of the calibrated modes.
        lane: which converter.
        environment: interpreter or virtual environment that has the converter; the cached one by default.
        timeout_s: for each child process.
        batch: size of the graph's batch dimension.
    """

    onnx: Path
    folder: Path
    modes: Sequence[str]
    quantization: Quantization | None = None
    lane: Lane = "modern"
    environment: Path | None = None
    timeout_s: float = 1800
    batch: int = 1
