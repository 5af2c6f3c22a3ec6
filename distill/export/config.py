"""What of the quantisation can be configured; light, because the command line reads it before anything else."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from distill.errors import ConfigError


@dataclass(frozen=True)
class CalibrationConfig:
    """Faces an integer model is calibrated on; they must be training faces.

    Attributes:
        format: how the data lie on disk: a name of docs/reference/formats.md; nothing for generated faces.
        root: folder of the data.
        subset: names joined by `+`; `all` for every face.
        faces: how many are drawn.
        seed: decides which.
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


@dataclass(frozen=True)
class QuantiseConfig:
    """What stays in floats in the integer kinds. Modules are regular expressions, matched against whole paths.

    Attributes:
        float_modules: modules of every integer kind; the AAM head multiplies maps, which 8 bits flatten.
        hybrid_modules: further ones of `int8_hybrid`.
        float_ops: operators; these have no 8-bit kernel in XNNPACK, which would split the graph into slow pieces.
        float_statistics: keep arithmetic on one number per channel in floats, as in norms.
    """

    float_modules: list[str] = field(default_factory=lambda: ["head", r"head\.normalise"])
    hybrid_modules: list[str] = field(default_factory=lambda: [r"head\..*", r"neck(\..*)?"])
    float_ops: list[str] = field(default_factory=lambda: ["BATCH_MATMUL", "SOFTMAX", "RSQRT", "SQRT"])
    float_statistics: bool = True

    def __post_init__(self) -> None:
        for pattern in (*self.float_modules, *self.hybrid_modules):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(f"'{pattern}' is not a regular expression ({error}); escape its dots") from error

    def modules(self, kind: str) -> list[str]:
        """Return the patterns of one kind."""
        return self.float_modules + (self.hybrid_modules if kind == "int8_hybrid" else [])
