"""Quantization modes of TFLite files; all of them take and return float32."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from distill.errors import ExportError, require_sequences, suggest

# What a mode rounds; the sensitivity of layers is measured with it.
Rounding = Literal["none", "half", "weights", "all"]


@dataclass(frozen=True)
class QuantizationMode:
    """One way to store and compute the same network.

    Attributes:
        what: description for tables.
        rounding: `none`, `half` (weights in 16-bit floats), `weights` (in 8 bits) or `all` (activations too).
        calibrated: whether it needs faces to find the ranges of the activations.
    """

    what: str
    rounding: Rounding
    calibrated: bool = False


# In the order of the parity report: from exact to coarse, 16-bit activations last.
MODES: Mapping[str, QuantizationMode] = MappingProxyType(
    {
        "fp32": QuantizationMode("32-bit floats", "none"),
        "fp16": QuantizationMode("16-bit weights, computed in 32-bit floats", "half"),
        "w8": QuantizationMode("8-bit weights, unpacked once and computed in 32-bit floats", "weights"),
        "dynamic": QuantizationMode("8-bit weights, activations rounded while it runs", "weights"),
        "int8_hybrid": QuantizationMode(
            "8-bit integers, sensitive modules and the decoder in floats", "all", calibrated=True
        ),
        "int8": QuantizationMode("8-bit integers, the decoder in floats", "all", calibrated=True),
        "int16x8": QuantizationMode(
            "16-bit activations and 8-bit weights, the decoder in floats", "weights", calibrated=True
        ),
    }
)


def require_modes(modes: Sequence[str]) -> None:
    """Refuse an empty list of modes and unknown ones.

    Raises:
        ConfigError: a single text in place of a list.
        ExportError: naming them and the nearest valid one.
    """
    require_sequences(modes=modes)
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown or not modes:
        valid = suggest(unknown[0] if unknown else "", list(MODES))
        raise ExportError(f"unknown mode of TFLite file {unknown}: {valid}")
