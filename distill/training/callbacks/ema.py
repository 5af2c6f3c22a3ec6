"""Exponential moving average (EMA) of the weights, which is validated and saved."""

from collections.abc import Sequence

import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class WeightEMA(WeightAveraging):
    """Average with decay min(decay, (1 + n) / (10 + n)) after n updates, for short runs."""

    def __init__(self, decay: float):
        @torch.no_grad()
        def update(averaged: Sequence[Tensor], current: Sequence[Tensor], n: Tensor | int) -> None:
            if not averaged[0].is_floating_point():  # counters of batch norm
                torch._foreach_copy_(list(averaged), list(current))
                return
            share = 1 - min(decay, (1 + int(n)) / (10 + int(n)))
            torch._foreach_lerp_(list(averaged), list(current), share)

        super().__init__(use_buffers=True, multi_avg_fn=update)
