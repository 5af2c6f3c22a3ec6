"""Optimisers and learning-rate schedules of a training run."""

import math
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from distill.training.config import OptimConfig


def make_optimizer(groups: list[dict[str, Any]], config: OptimConfig, fused: bool = True) -> torch.optim.Optimizer:
    """Return AdamW (decoupled weight decay), Adam or SGD (both with L2 regularisation) over parameter groups.

    Args:
        groups: parameters with their options.
        config: name and momentum.
        fused: one pass over the memory of all parameters, which is faster than torch's default, on CPUs as well. Not
            for float16, whose gradients a fused optimiser would divide by their scale only after they are clipped.
    """
    if config.name == "adamw":
        return torch.optim.AdamW(groups, fused=fused)
    if config.name == "adam":
        return torch.optim.Adam(groups, fused=fused)
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum_or_default, fused=fused)


def make_schedule(optimizer: torch.optim.Optimizer, config: OptimConfig, total_steps: int) -> LambdaLR:
    """Return the schedule that scales every group's peak rate by `lr_factor`, step by step."""
    return LambdaLR(optimizer, lambda step: lr_factor(step, total_steps, config))


def lr_factor(step: int, total_steps: int, config: OptimConfig) -> float:
    """Return the share of the peak learning rate at a step: linear warm-up, then the schedule.

    Args:
        step: from 0 on.
        total_steps: length of the training.
        config: schedule `cosine` (to 0), `step` (times `gamma` at each milestone) or `constant`.
    """
    warmup = max(1, round(config.warmup * total_steps))
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "step":
        passed = sum(step >= milestone * total_steps for milestone in config.milestones_or_default)
        return float(config.gamma_or_default**passed)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total_steps - warmup))))
