"""Exponential moving average (EMA) of the weights, which is validated and saved."""

from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class WeightEMA(WeightAveraging):
    """Average with decay min(decay, (1 + n) / (10 + n)) after n updates, for short runs.

    The average lies on the device of the training; Lightning would make it on the CPU, where the network still is at
    that moment, and copy all weights there after each step. The number of updates stays on the CPU: it is read in each
    step, for which a GPU would have to finish all work before.
    """

    def __init__(self, decay: float):
        super().__init__(use_buffers=True, multi_avg_fn=self._update)
        self.decay = decay

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
        if stage == "fit" and self._average_model is not None:
            self._average_model.n_averaged = torch.tensor(0)

    @torch.no_grad()
    def _update(self, averaged: Sequence[Tensor], current: Sequence[Tensor], _: Tensor | int) -> None:
        if not averaged[0].is_floating_point():  # counters of batch norm
            torch._foreach_copy_(list(averaged), list(current))
            return
        assert self._average_model is not None
        n = int(self._average_model.n_averaged)
        share = 1 - min(self.decay, (1 + n) / (10 + n))
        torch._foreach_lerp_(list(averaged), list(current), share)
