"""Save the last step when SIGINT or SIGTERM stops the training, also in the middle of a validation."""

import signal
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from distill.training.callbacks.checkpointing import validation_follows
from distill.training.callbacks.ema import WeightEMA
from distill.training.interrupt import StopRequest


class StopOnSignal(pl.Callback):
    """Writes `last.ckpt` after the step in which the signal came and ends the training.

    A validation is not waited for: the checkpoint is that of the step before it, and resuming repeats all of it.
    Several processes agree every few steps and after each validation, because one that stops alone would leave the
    others waiting.

    Args:
        request: of the signals.
        folder: of the run.
        every: steps between agreements of several processes.
    """

    def __init__(self, request: StopRequest, folder: Path, every: int):
        self.request, self.folder, self.every = request, folder, every

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.request.defer()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # After a validation, which has saved `last.ckpt`.
        if trainer.world_size > 1 and trainer.global_step and validation_follows(trainer) and self._agreed(trainer):
            self.request.raise_if_requested()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if validation_follows(trainer) or not self._requested(trainer):
            return
        pl_module.require_finite(outputs)  # type: ignore[operator]
        self._save_and_stop(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.world_size == 1 and self.request.number:
            self._stop_validation(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        if trainer.world_size == 1 and self.request.number:
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                if isinstance(callback, WeightEMA):
                    callback.on_validation_epoch_end(trainer, pl_module)  # the weights that are trained, again
            self._stop_validation(trainer)

    def _requested(self, trainer: pl.Trainer) -> bool:
        if trainer.world_size == 1:
            return bool(self.request.number)
        return trainer.global_step % self.every == 0 and self._agreed(trainer)

    def _agreed(self, trainer: pl.Trainer) -> bool:
        """Whether one of several processes received a signal; then all stop."""
        if trainer.strategy.reduce_boolean_decision(bool(self.request.number), all=False):
            self.request.number = self.request.number or signal.SIGTERM
            return True
        return False

    def _stop_validation(self, trainer: pl.Trainer) -> None:
        """Save the progress of a validation that stopped in its first batch, which Lightning starts again."""
        progress = trainer.fit_loop.epoch_loop.val_loop.batch_progress
        progress.total.reset()
        progress.current.reset()
        progress.increment_ready()
        progress.increment_started()
        self._save_and_stop(trainer)

    def _save_and_stop(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.folder / "last.ckpt", weights_only=False)
        self.request.raise_if_requested()
