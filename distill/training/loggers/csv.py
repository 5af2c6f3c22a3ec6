"""Recording of a run: `metrics.csv`, the complete record, and its copies in other loggers."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from distill.files import write_text, writing
from distill.training.loggers.metrics_csv import HEADER, Row, format_rows, read_rows

_OF_ONE_START = ("resume", "accept_data")


class CsvLog(Logger):
    """Appends `step,name,value` rows to `metrics.csv`; values are written with all their digits."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration lies beside this file as `config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        rows = format_rows((step or 0, name, float(value)) for name, value in metrics.items())
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(rows)

    def rewind(self, step: int) -> list[Row]:
        """Drop what was recorded after `step`, and a last line cut short by a kill; return what is left.

        Begins the file if there is none.
        """
        kept = [row for row in read_rows(self.path) if row[0] <= step] if self.path.is_file() else []
        if is_first_process():
            write_text(self.path, f"{HEADER}\n{format_rows(kept)}")
        return kept


def is_first_process() -> bool:
    """Whether this process writes the files of the run; of several, one does."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def plain_config(config: object, folders: bool = True) -> dict[str, Any]:
    """Return a run's configuration in plain types, fit for YAML, without what belongs to one start of the run.

    Args:
        config: a dataclass.
        folders: keep the folders of paths; else they are cut to their last part.
    """

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        if isinstance(value, dict):
            return {str(name): plain(v) for name, v in value.items()}
        if isinstance(value, list | tuple):
            return [plain(v) for v in value]
        if isinstance(value, Path):
            return str(value) if folders else value.name
        return value

    return {name: value for name, value in plain(config).items() if name not in _OF_ONE_START}


class Tracking(pl.Callback):
    """Sends losses, learning rate, gradient norm and validation metrics to every logger, each at its exact step.

    Args:
        every: steps between records of the training losses.
        pictures: validation faces or photos to draw; curves, which show nobody, are drawn in any case.

    Attributes:
        losses: terms of the loss at the last record, on the CPU.
    """

    def __init__(self, every: int, pictures: int = 0):
        self.every, self.pictures = every, pictures
        self.losses: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        kept = [row for log in trainer.loggers if isinstance(log, CsvLog) for row in log.rewind(trainer.global_step)]
        for logger in trainer.loggers:
            if hasattr(logger, "replay"):
                logger.replay(kept)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every:
            return
        pl_module.require_finite(outputs)  # type: ignore[operator]
        self.losses = {name: value.item() for name, value in outputs.items()}
        metrics = {f"train/{name}": value for name, value in self.losses.items()}
        metrics["train/lr"] = trainer.optimizers[0].param_groups[0]["lr"]
        metrics["train/grad_norm"] = float(pl_module.grad_norm)  # type: ignore[arg-type]
        if pl_module.skip_nonfinite:
            metrics["train/skipped"] = float(pl_module.skipped)  # type: ignore[arg-type]
        _record(trainer, metrics)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        values = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val/")}
        _record(trainer, values)
        for logger in trainer.loggers:
            if hasattr(logger, "log_picture"):
                for name, picture in pl_module.pictures(self.pictures).items():  # type: ignore[operator]
                    logger.log_picture(name, picture, step=trainer.global_step)


def _record(trainer: pl.Trainer, metrics: dict[str, float]) -> None:
    for logger in trainer.loggers:
        logger.log_metrics(metrics, step=trainer.global_step)
