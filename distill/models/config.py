"""Configuration of the network."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.errors import ConfigError


@dataclass(frozen=True)
class ModelConfig:
    """Network.

    Attributes:
        arch: name in the zoo, or `timm:NAME` for a backbone of timm.
        options: keyword arguments of the architecture.
        init: checkpoint of this program to start from; its weights that fit by name and shape are loaded.
        weights: local .pth or .safetensors file of backbone weights, as published by timm or torchvision.
    """

    arch: str = "mobilevit_v2_050"
    options: dict[str, Any] = field(default_factory=dict)
    init: Path | None = None
    weights: Path | None = None

    def __post_init__(self) -> None:
        if self.weights is None:
            return
        if self.init is not None:
            raise ConfigError("--model.weights contradicts --model.init: give one of them")
        if self.options.get("pretrained"):
            raise ConfigError("--model.weights contradicts pretrained of --model.options: set pretrained to false")
