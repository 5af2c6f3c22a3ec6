"""Choose the floating-point precision of a training: float32, TensorFloat-32, bfloat16, float16, simulated int8."""

import platform
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.training.config import TrainerConfig
from distill.training.memory import keep_freed_memory

Precision = Literal["32", "tf32", "bf16", "16", "int8"]
LightningPrecision = Literal["32-true", "bf16-mixed", "16-mixed"]
_LIGHTNING: dict[Precision, LightningPrecision] = {
    "32": "32-true",
    "tf32": "32-true",
    "bf16": "bf16-mixed",
    "16": "16-mixed",
    "int8": "32-true",  # see `int8_simulation`
}


def resolved(config: TrainerConfig) -> Precision:
    """Return the precision of a training here; `auto` is bfloat16 where the device computes in it.

    Raises:
        ConfigError: float16 or TensorFloat-32 without a GPU.
    """
    if config.precision in ("16", "tf32") and (config.accelerator == "cpu" or not torch.cuda.is_available()):
        raise ConfigError(f"--trainer.precision {config.precision} needs an NVIDIA GPU; take bf16 or 32")
    if config.precision != "auto":
        return config.precision
    return "bf16" if _computes_in_bfloat16(config) else "32"


def set_precision(config: TrainerConfig) -> LightningPrecision:
    """Allow TensorFloat-32 on a GPU or not, which is a switch of the process; return the precision's name in Lightning.

    TensorFloat-32 rounds the factors of products to 10 bits of mantissa. torch uses it in convolutions by default.

    Raises:
        ConfigError: as `resolved`.
    """
    precision = resolved(config)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    return _LIGHTNING[precision]


def slow_precision(config: TrainerConfig) -> str | None:
    """Return a line about bfloat16 that a processor can only imitate, which takes twice as long as float32."""
    if config.precision == "bf16" and _computes_in_bfloat16(config) is False:
        return "This processor has no bfloat16 arithmetic: --trainer.precision 32 trains about twice as fast here."
    return None


class _InFloat32(nn.Module):
    """A layer that computes in float32 under autocast, and returns what autocast would."""

    def forward(self, x: Tensor) -> Tensor:
        kind = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype
        with torch.autocast(x.device.type, enabled=False):
            computed: Tensor = super().forward(x.float())
        return computed.to(kind)


@cache
def _in_float32(kind: type[nn.Module]) -> type[nn.Module]:
    """Return the class of a layer that computes in float32; its weights and their names are those of `kind`."""
    return type(f"{kind.__name__}InFloat32", (_InFloat32, kind), {})


def keep_strided_depthwise_in_float32(net: nn.Module) -> None:
    """Let strided depthwise convolutions compute in float32, for a training in bfloat16 on a CPU.

    oneDNN has no quick backward pass of them in bfloat16: four of them took a third of a step of MobileViT-v2
    (`scripts/bench/train_step.py`).
    """
    for module in list(net.modules()):
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1 and max(module.stride) > 1:
            kind: type[nn.Module] = type(module)
            module.__class__ = _in_float32(kind)  # type: ignore[assignment,arg-type]


def prepare_cpu(config: TrainerConfig, net: nn.Module) -> None:
    """Let a training on a CPU reuse freed memory and, in bfloat16, avoid the layers that are slow in it."""
    keep_freed_memory()
    if resolved(config) == "bf16":
        keep_strided_depthwise_in_float32(net)


def _computes_in_bfloat16(config: TrainerConfig) -> bool | None:
    """Of processors other than x86 and accelerators other than CUDA's torch does not report it: None."""
    if config.accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if config.accelerator == "mps" or platform.machine() not in ("x86_64", "AMD64"):
        return None
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
