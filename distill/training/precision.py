"""Choose the floating-point precision of a training: float32, bfloat16 or float16."""

import platform
from typing import Literal

import torch

from distill.errors import ConfigError
from distill.training.config import TrainerConfig

Precision = Literal["32", "bf16", "16"]


def resolved(config: TrainerConfig) -> Precision:
    """Return the precision of a training here; `auto` is bfloat16 where the device computes in it.

    Raises:
        ConfigError: float16 without a GPU.
    """
    if config.precision == "16" and (config.accelerator == "cpu" or not torch.cuda.is_available()):
        raise ConfigError("--trainer.precision 16 needs a GPU, whose gradients are scaled; take bf16 or 32")
    if config.precision != "auto":
        return config.precision
    return "bf16" if _computes_in_bfloat16(config) else "32"


def slow_precision(config: TrainerConfig) -> str | None:
    """Return a line about bfloat16 that a processor can only imitate, which takes twice as long as float32."""
    if config.precision == "bf16" and _computes_in_bfloat16(config) is False:
        return "This processor has no bfloat16 arithmetic: --trainer.precision 32 trains about twice as fast here."
    return None


def _computes_in_bfloat16(config: TrainerConfig) -> bool | None:
    """Of processors other than x86 and accelerators other than CUDA's torch does not report it: None."""
    if config.accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if config.accelerator == "mps" or platform.machine() not in ("x86_64", "AMD64"):
        return None
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
