"""The environments of this project: their packages, the Pythons that have wheels of these, and their size."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True)
class Environment:
    """An environment that this project makes.

    Attributes:
        name: of the lock, and of the folder in the cache.
        what: its main packages, for messages.
        packages: distribution -> version; an interpreter that has them all is this environment.
        pythons: minor versions of Python that it can be made with, the preferred one first.
        megabytes: of disk that it takes.
        variable: environment variable that names a Python to use instead.
    """

    name: str
    what: str
    packages: Mapping[str, str]
    pythons: tuple[str, ...]
    megabytes: int
    variable: str

    @property
    def lock(self) -> Path:
        """The file of exact versions and hashes."""
        return Path(__file__).with_name(f"{self.name}.txt")

    @property
    def key(self) -> str:
        """Name of its folder in the cache; another lock has another one."""
        return f"{self.name}-{hashlib.sha256(self.lock.read_bytes()).hexdigest()[:12]}"


_MODERN = Environment(
    "modern",
    "onnx2tf 2.6.9 and litert-quantizer 0.11.0",
    {"onnx2tf": "2.6.9", "litert-quantizer": "0.11.0"},
    ("3.12", "3.13"),
    560,
    "DISTILL_MODERN_PYTHON",
)
_CLASSIC = Environment(
    "classic",
    "onnx2tf 1.28.8 and TensorFlow 2.19.1",
    {"onnx2tf": "1.28.8", "tensorflow": "2.19.1", "tf-keras": "2.19.0"},
    ("3.11",),
    2000,
    "DISTILL_CLASSIC_PYTHON",
)
_TFLITE211 = Environment(
    "tflite211",
    "tflite-runtime 2.11.0",
    {"tflite-runtime": "2.11.0"},
    ("3.9",),
    75,
    "DISTILL_TFLITE211_PYTHON",
)

ENVIRONMENTS: Mapping[str, Environment] = MappingProxyType(
    {environment.name: environment for environment in (_MODERN, _CLASSIC, _TFLITE211)}
)
