"""`last.ckpt` and `best.ckpt`: atomic writes, finite weights, no pickled code."""

import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from distill.files import atomic_path, copy_file
from distill.models.checkpoint import read_checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target and renames.

    Lightning's own writer goes through $TMPDIR and moves the file, which on another file system is a copy that a
    kill leaves half-done.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_checkpoint(checkpoint, path)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return read_checkpoint(Path(path), map_location)


def write_checkpoint(checkpoint: dict[str, Any], path: Any) -> None:
    """Write the content of a checkpoint atomically; equal content makes an equal file."""
    # Into an open file: torch.save names the archive inside after a path, and the temporary name is random.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(_canonical(checkpoint), file)


def _canonical(value: Any) -> Any:
    """Return a copy of plain containers, shared by none, in which equal strings are one object; the rest as it is.

    Pickle writes an object that occurs again as a reference. After a resume the keys of the optimizer's state come
    from the file and are no longer the objects that stand elsewhere, which made equal content another file.
    """
    kind = type(value)
    if kind is str:
        return sys.intern(value)
    if kind is dict:
        return {_canonical(key): _canonical(item) for key, item in value.items()}
    if kind is OrderedDict:
        ordered = OrderedDict((_canonical(key), _canonical(item)) for key, item in value.items())
        vars(ordered).update(_canonical(vars(value)))  # the versions of the modules of a `state_dict`
        return ordered
    if kind in (list, tuple):
        return kind(map(_canonical, value))
    return value


class RunCheckpoints(Checkpoint):
    """Saves `last.ckpt` every few steps and after each validation, `best.ckpt` at the best value of a metric.

    Args:
        folder: of the run.
        every: steps between saves of `last.ckpt`.
        metric: of the validation.
        lowest: whether its lowest value is the best, else its highest.

    Attributes:
        training: whether the first step may follow: a checkpoint that is resumed from has been restored.
    """

    def __init__(self, folder: Path, every: int, metric: str = "val/nme", lowest: bool = True):
        self.folder, self.every = folder, every
        self.metric, self.lowest = metric, lowest
        self.best, self.best_step = float("inf") if lowest else float("-inf"), 0
        self.training = False

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # Earlier versions wrote `best_nme`.
        self.best = state_dict["best"] if "best" in state_dict else state_dict["best_nme"]
        self.best_step = state_dict["best_step"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.training = True

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # Where a validation follows, `on_validation_end` saves: a run killed in between repeats the validation.
        validates = validation_follows(trainer)
        due = trainer.global_step % self.every == 0
        if due or validates:
            pl_module.require_finite(outputs)  # type: ignore[operator]
        if due and not validates:
            trainer.save_checkpoint(self.folder / "last.ckpt", weights_only=False)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or self.metric not in trainer.callback_metrics:
            return
        value = float(trainer.callback_metrics[self.metric])
        if value < self.best if self.lowest else value > self.best:
            self.best, self.best_step = value, trainer.global_step
            trainer.save_checkpoint(self.folder / "best.ckpt", weights_only=False)
            if trainer.is_global_zero:
                copy_file(self.folder / "best.ckpt", self.folder / "last.ckpt")  # written once, it has the same content
            trainer.strategy.barrier("last.ckpt")
        else:
            trainer.save_checkpoint(self.folder / "last.ckpt", weights_only=False)


def validation_follows(trainer: pl.Trainer) -> bool:
    """Whether a validation comes right after this training step."""
    return isinstance(trainer.val_check_batch, int) and trainer.global_step % trainer.val_check_batch == 0


def remove_leftovers(folder: Path) -> None:
    """Remove what a kill in the middle of a save left beside the checkpoints (`.last.….ckpt`)."""
    for path in folder.glob(".*.*.ckpt"):
        path.unlink(missing_ok=True)
