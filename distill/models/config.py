"""Configuration of the network."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ModelConfig:
    """Which network.

    Attributes:
        arch: name in the zoo.
        options: keyword arguments of the architecture.
        init: checkpoint to start from; its weights that fit by name and shape are taken.
    """

    arch: str = "mobilevit_v2_050"
    options: dict[str, Any] = field(default_factory=dict)
    init: Path | None = None
