"""Job description of a converter lane."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.export.config import Lane, QuantizeConfig
from distill.inference.batches import padded_batches


@dataclass(frozen=True, eq=False)
class Job:
    """A conversion.

    Attributes:
        onnx: graph of `export_onnx`.
        folder: for temporary files.
        modes: names in `MODES`.
        crops: (n, h, w, 3) float32 that calibrated modes take the ranges of activations from.
        config: modules and operators that stay in floats in the integer modes.
        lane: which converter.
        environment: interpreter or virtual environment that has the converter; the cached one by default.
        timeout_s: for each child process.
        batch: size of the graph's batch dimension.
    """

    onnx: Path
    folder: Path
    modes: Sequence[str]
    crops: NDArray[np.float32] | None = None
    config: QuantizeConfig = field(default_factory=QuantizeConfig)
    lane: Lane = "modern"
    environment: Path | None = None
    timeout_s: float = 1800
    batch: int = 1

    def save_crops(self) -> Path:
        """Write the crops as inputs of the graph, (m, batch, h, w, 3), and return the file.

        Raises:
            ValueError: the job has no crops.
        """
        if self.crops is None:
            raise ValueError("a job without crops")
        path = self.folder / "crops.npy"
        np.save(path, np.stack(list(padded_batches(self.crops, self.batch))))
        return path
