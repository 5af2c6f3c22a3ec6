"""Random state of the network as a pure function of (seed, step), for exact resumption without saved states."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch


def step_seed(seed: int, step: int) -> int:
    """Mix seed and step into 63 bits; neighbouring steps give unrelated streams."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))


class StatelessSeeding(pl.Callback):
    """Seeds torch before every training step (dropout, stochastic depth, feature noise)."""

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        torch.manual_seed(step_seed(self.seed, trainer.global_step * trainer.world_size + trainer.global_rank))
