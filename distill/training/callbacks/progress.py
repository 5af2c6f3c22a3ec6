"""Progress of a training: a bar on a terminal, one line per epoch or validation in a file."""

import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
from rich.console import RenderableType
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from distill.training.callbacks.checkpointing import RunCheckpoints, validation_follows
from distill.training.loggers.csv import Tracking


@dataclass(frozen=True)
class Facts:
    """State of a training, as it is shown.

    Attributes:
        step, steps: done and planned.
        per_epoch: steps of an epoch.
        losses: terms by name, `loss` their sum; empty before the first record.
        nme, best_nme: last and lowest validation NME as fractions; None before the first validation.
        best_step: step of the lowest.
        seconds_left: estimate; None before the first step.
    """

    step: int
    steps: int
    per_epoch: int
    losses: Mapping[str, float]
    nme: float | None
    best_nme: float | None
    best_step: int
    seconds_left: float | None

    def position(self) -> str:
        """Epoch k of n, counted from 1, and the step in it."""
        epoch = max(1, -(-self.step // self.per_epoch))
        width = len(str(self.steps // self.per_epoch))
        inside = self.step - (epoch - 1) * self.per_epoch
        return f"epoch {epoch:{width}}/{self.steps // self.per_epoch}  step {inside}/{self.per_epoch}"

    def values(self) -> list[str]:
        """Loss with its terms, validation NME and the best so far."""
        parts = []
        if self.losses:
            terms = ", ".join(f"{name} {value:.4g}" for name, value in self.losses.items() if name != "loss")
            parts.append(f"loss {self.losses.get('loss', float('nan')):.4g}" + (f" ({terms})" if terms else ""))
        if self.nme is not None:
            parts.append(f"val NME {100 * self.nme:.2f} %")
        if self.best_nme is not None:
            parts.append(f"best {100 * self.best_nme:.2f} % (epoch {-(-self.best_step // self.per_epoch)})")
        return parts

    def time_left(self) -> str:
        return "" if self.seconds_left is None else f"{duration(self.seconds_left)} left"

    def line(self) -> str:
        """All of it on one line."""
        return "  ".join(part for part in (self.position(), *self.values(), self.time_left()) if part)


def duration(seconds: float) -> str:
    """`42 s`, `7 min`, `3 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def is_terminal() -> bool:
    """Whether stdout can redraw a line."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Progress(pl.Callback):
    """Shows epoch, step, losses by term, validation NME, the best so far and the time left.

    The losses are those that `Tracking` has read; nothing here waits for the device.

    Args:
        tracking: reads the losses.
        checkpoints: hold the best validation so far, also of a resumed run.
        epochs, per_epoch: length of the training.
    """

    def __init__(self, tracking: Tracking, checkpoints: RunCheckpoints, epochs: int, per_epoch: int):
        self.tracking, self.checkpoints = tracking, checkpoints
        self.per_epoch, self.steps = per_epoch, epochs * per_epoch
        self.nme: float | None = None
        self.bar: _Bar | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.first_step, self.started = trainer.global_step, time.monotonic()
        if is_terminal():
            self.bar = _Bar(self.steps)
            self.bar.start()
            self.bar.show(self._facts(trainer.global_step))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if self.bar is not None:
            self.bar.show(self._facts(step))
        elif step % self.per_epoch == 0 and not validation_follows(trainer):
            self._print(step)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.bar is not None:
            self.bar.show(self._facts(trainer.global_step), "validating")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if "val/nme" not in trainer.callback_metrics:
            return
        self.nme = float(trainer.callback_metrics["val/nme"])
        if self.bar is not None:
            self.bar.show(self._facts(trainer.global_step))
        else:
            self._print(trainer.global_step)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _print(self, step: int) -> None:
        print(self._facts(step).line(), flush=True)

    def _facts(self, step: int) -> Facts:
        best, best_step = self.checkpoints.best, self.checkpoints.best_step
        if self.nme is not None and self.nme < best:
            best, best_step = self.nme, step  # `checkpoints` compares after this
        done = step - self.first_step
        left = (time.monotonic() - self.started) / done * (self.steps - step) if done else None
        best_nme = best if best < float("inf") else None
        losses = self.tracking.losses
        return Facts(step, self.steps, self.per_epoch, losses, self.nme, best_nme, best_step, left)


class _Bar(RichProgress):
    """A bar over all steps, and the values on a second line."""

    def __init__(self, steps: int):
        self.values = ""
        super().__init__(TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[note]}"))
        self.task = self.add_task("", total=steps, note="")

    def show(self, facts: Facts, note: str = "") -> None:
        self.values = "  ".join(facts.values())
        self.update(self.task, completed=facts.step, description=facts.position(), note=note or facts.time_left())

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.values)
