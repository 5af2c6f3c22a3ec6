"""Gradient norm of each term of the loss, before anything is added up or clipped."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from distill.training.loggers.metrics_csv import TERM_GRADIENT


class TermGradients(pl.Callback):
    """Records `train/grad_norm_TERM` for every term of the loss, as weighted; with several devices, on the first.

    A term whose gradient is a hundredth of another's has no effect, whatever its value.

    Args:
        every: steps between records; each costs a backward pass for every term.
    """

    def __init__(self, every: int):
        self.every = every

    def on_before_backward(self, trainer: pl.Trainer, pl_module: Any, loss: Tensor) -> None:
        terms, pl_module.terms = pl_module.terms, {}  # whoever keeps a term keeps the graph of its step
        step = trainer.global_step + 1
        if step % self.every:
            return
        norms = term_norms(terms, [weight for weight in pl_module.trained() if weight.requires_grad])
        for logger in trainer.loggers:
            logger.log_metrics({f"{TERM_GRADIENT}{name}": norm for name, norm in norms.items()}, step=step)


def term_norms(terms: dict[str, Tensor], weights: list[torch.nn.Parameter]) -> dict[str, float]:
    """Return the Euclidean norm of each term's gradient over all weights together; graphs are left as they are.

    Args:
        terms: scalars by name; one that depends on no weight has norm 0, and their sum `loss` is left out.
    """
    norms = {}
    for name, term in terms.items():
        if name == "loss":
            continue
        gradients: tuple[Tensor | None, ...] = ()
        if term.requires_grad:
            gradients = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True)
        parts = [gradient.float().norm() for gradient in gradients if gradient is not None]
        norms[name] = float(torch.stack(parts).norm()) if parts else 0.0
    return norms
