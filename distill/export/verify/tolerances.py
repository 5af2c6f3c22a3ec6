"""Parity gates: the largest change of the landmarks that each format may have; beyond it nothing is published."""

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Gate:
    """Largest change allowed in one format.

    Attributes:
        max_px: worst landmark of all crops, in pixels of the crop.
        mean_px: average landmark.
        nme_rise: growth of the inter-ocular NME, relative to PyTorch's.
        confidence: average change of the confidence of a point, which is in [0, 1].
    """

    max_px: float
    mean_px: float
    nme_rise: float = 0.005
    confidence: float = 0.05


@dataclass(frozen=True)
class GateConfig:
    """The gate of every result, against PyTorch.

    Attributes:
        onnx: ONNX Runtime.
        fp32: 32-bit floats.
        fp16: 16-bit weights.
        w8: 8-bit weights.
        dynamic: dynamic range.
        int8_hybrid: 8-bit integers with sensitive modules in floats.
        int8: 8-bit integers.
        int16x8: 16-bit activations.
    """

    onnx: Gate = Gate(0.01, 0.01, confidence=0.001)
    fp32: Gate = Gate(0.05, 0.05, confidence=0.001)
    # Half-precision weights moved the landmarks of a random student by 0.056 px on average at 256 px.
    fp16: Gate = Gate(0.5, 0.1, confidence=0.01)
    w8: Gate = Gate(4, 0.5, 0.02)
    dynamic: Gate = Gate(4, 0.5, 0.02)
    # On a face where the network itself fails, rounding moved a landmark by 15 px: `max_px` of integers only detects
    # a collapse, the other two limits decide.
    int8_hybrid: Gate = Gate(24, 0.6, 0.05)
    int8: Gate = Gate(24, 0.6, 0.05)
    int16x8: Gate = Gate(24, 0.3, 0.02)

    def by_stage(self) -> Mapping[str, Gate]:
        """Return the gates by the name of their result."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


GATES: Mapping[str, Gate] = GateConfig().by_stage()
