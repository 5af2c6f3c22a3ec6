"""Options of an export; the module imports little, because the command line reads it first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from distill.data.config import FacesConfig
from distill.errors import ConfigError
from distill.export.verify.tolerances import GateConfig

# Converters: onnx2tf 2.6 without TensorFlow, or onnx2tf 1.28 with TensorFlow 2.19.
Lane = Literal["modern", "classic"]
# Largest batch of an exported file, far above what shortens the time of a face on any device.
MAX_BATCH = 256


@dataclass(frozen=True)
class CalibrationConfig:
    """Faces that integer models are calibrated on; they must be training faces.

    Attributes:
        format: how the data lie on disk: a name of docs/reference/formats.md; nothing for generated faces.
        root: folder of the data.
        subset: names joined by `+`; `all` for every face.
        faces: how many are drawn.
        seed: of the draw.
    """

    format: str | None = None
    root: Path | None = None
    subset: str = "all"
    faces: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.format is None) != (self.root is None):
            raise ConfigError("--calibration.format and --calibration.root go together; give both, or none")
        if self.faces < 1:
            raise ConfigError(f"--calibration.faces {self.faces} must be at least 1")
        if self.seed < 0:
            raise ConfigError(f"--calibration.seed {self.seed} must be at least 0")


@dataclass(frozen=True)
class QuantizeConfig:
    """Modules and operators that stay in floats in the integer modes.

    Modules are regular expressions, matched against whole paths.

    Attributes:
        float_modules: modules of every integer mode; by default those the network declares.
        hybrid_modules: further ones of `int8_hybrid`; by default those the network declares.
        float_ops: operators; these have no 8-bit kernel in XNNPACK, which would split the graph, or a wrong one (MEAN).
        float_statistics: keep arithmetic on one number per channel in floats, as in norms.
    """

    float_modules: list[str] | None = None
    hybrid_modules: list[str] | None = None
    # MEAN: XNNPACK in LiteRT 2.3.0 overflows on x86 with AVX2 where 8-bit values lie near an end of their range: the
    # mean of 16,384 zeros is the largest value of the output.
    float_ops: list[str] = field(default_factory=lambda: ["BATCH_MATMUL", "SOFTMAX", "RSQRT", "SQRT", "MEAN"])
    float_statistics: bool = True

    def __post_init__(self) -> None:
        for pattern in (*(self.float_modules or ()), *(self.hybrid_modules or ())):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(f"'{pattern}' is not a regular expression ({error}); escape its dots") from error

    def modules(self, mode: str) -> list[str]:
        """Return the patterns of one mode."""
        return (self.float_modules or []) + ((self.hybrid_modules or []) if mode == "int8_hybrid" else [])

    def for_network(self, net: object) -> "QuantizeConfig":
        """Return a copy with the modules that the network declares where none are given."""
        declared_float = list(getattr(net, "float_modules", ()))
        declared_hybrid = list(getattr(net, "hybrid_modules", ()))
        return replace(
            self,
            float_modules=declared_float if self.float_modules is None else self.float_modules,
            hybrid_modules=declared_hybrid if self.hybrid_modules is None else self.hybrid_modules,
        )


@dataclass(frozen=True)
class ExportConfig:
    """Options of an export.

    Attributes:
        modes: quantization modes, of fp32, fp16, w8, dynamic, int8_hybrid, int8, int16x8.
        data: faces to compare the formats on, the official test faces of a data set; generated faces by default.
        faces: number of them.
        runtime: oldest TFLite runtime that must have every operator.
        scheme: keep the head of this landmark scheme, or of a head those points; the main head by default.
        stem: the files are called STEM.onnx, STEM_fp32.tflite and so on.
        calibration: training faces the integer modes are calibrated on; generated faces by default.
        quantize: modules and operators that stay in floats.
        gates: largest change allowed in each format.
        confidence: second output with the confidence of each point; without effect on networks without heatmaps.
        lane: converter, `modern` (onnx2tf 2.6, litert-quantizer) or `classic` (onnx2tf 1.28, TensorFlow 2.19).
        environment: interpreter or virtual environment that has the converter; made on first use by default.
        license: of the weights, for the metadata of the TFLite files; by default they state none.
        integer_parts: also write the int8 file as two, integers in and out and a decoder in floats, for DSPs and NPUs.
        batch: crops of one call of the files, a fixed dimension.
    """

    modes: Sequence[str] = ("fp32", "fp16")
    data: FacesConfig | None = None
    faces: int = 32
    runtime: str = "2.11.0"
    scheme: str | None = None
    stem: str = "student"
    calibration: CalibrationConfig = CalibrationConfig()
    quantize: QuantizeConfig = QuantizeConfig()
    gates: GateConfig = field(default_factory=GateConfig)
    confidence: bool = True
    lane: Lane = "modern"
    environment: Path | None = None
    integer_parts: bool = False
    license: str = ""
    batch: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= MAX_BATCH:
            raise ConfigError(f"--batch {self.batch} must be 1 to {MAX_BATCH}: the crops of one call of the files")
        if self.integer_parts and "int8" not in self.modes:
            raise ConfigError('--integer_parts has no effect without mode int8; give --modes "[fp32, int8]"')
