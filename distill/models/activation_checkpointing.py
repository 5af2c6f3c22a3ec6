"""Activation checkpointing: blocks of a backbone are computed again in the backward pass, which saves their memory."""

from typing import Any

from torch import nn

from distill.errors import ConfigError
from distill.models.backbone import backbone_of


def checkpoint_activations(net: nn.Module) -> None:
    """Have a network keep only the inputs of its backbone's blocks for the backward pass (arXiv 1604.06174).

    Outputs and gradients stay the same to the bit; a step computes the forward pass of the blocks once more.

    Raises:
        ConfigError: no block of this backbone can do that, or one has batch norms, which would count each batch twice.
    """
    name = "--trainer.recompute"
    stages: list[Any] = [part for part in backbone_of(net).modules() if hasattr(part, "grad_checkpointing")]
    # timm's container of feature maps has the switch too, for whole stages: blocks within them save more.
    stages = [part for part in stages if getattr(part, "blocks", None) is not None]
    if not stages:
        raise ConfigError(f"{name} has no effect: the blocks of this backbone have no such switch; take a SwinV2")
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for stage in stages for module in stage.modules()):
        raise ConfigError(f"{name}: this backbone has batch norms, which would count each batch twice")
    for stage in stages:
        stage.grad_checkpointing = True
