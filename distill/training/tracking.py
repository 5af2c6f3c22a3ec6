"""Recording a run: `metrics.csv` is the truth, Weights & Biases mirrors it.

W&B receives numbers by an explicit step, an allow-list of the configuration and, when asked, pictures. Machine data,
code, git state and console output stay at home, and paths are cut to their last part.
"""

import csv
import dataclasses
import io
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.loggers import Logger

from distill.config import LogConfig, RunConfig
from distill.files import write_text
from distill.geometry import denormalise
from distill.history import HEADER, read_rows
from distill.pictures import ced_curves, contact_sheet


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

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        rows = io.StringIO()
        csv.writer(rows, lineterminator="\n").writerows((step, name, repr(float(v))) for name, v in metrics.items())
        with self.path.open("a", encoding="utf-8") as file:
            file.write(rows.getvalue())

    def rewind(self, step: int) -> None:
        """Drop what was recorded after `step`, and a last line cut short by a kill; begin the file if there is none."""
        kept = [row for row in read_rows(self.path) if row[0] <= step] if self.path.is_file() else []
        lines = [HEADER, *(f"{s},{name},{value!r}" for s, name, value in kept)]
        write_text(self.path, "\n".join(lines) + "\n")


def make_wandb_logger(log: LogConfig, name: str, folder: Path) -> Logger | None:
    """Return the W&B logger of a run, or None when it is disabled; a resumed run keeps its W&B id."""
    if log.wandb == "disabled":
        return None
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    id_file = folder / "wandb_id.txt"
    if not id_file.is_file():
        write_text(id_file, uuid.uuid4().hex[:12] + "\n")
    settings = wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        save_code=False,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        silent=True,
    )
    return WandbLogger(
        project=log.project,
        name=name,
        id=id_file.read_text().strip(),
        save_dir=folder,
        resume="allow",
        mode=log.wandb,
        settings=settings,
    )


def public_config(config: RunConfig) -> dict[str, Any]:
    """Return what W&B may know of a configuration: everything but where files lie."""

    def clean(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: clean(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name != "runs"}
        if isinstance(value, Path):
            return value.name
        return value

    return clean(config)


class Tracking(pl.Callback):
    """Sends losses, learning rate, gradient norm and validation metrics to every logger, each at its exact step.

    Args:
        every: steps between records of the training losses.
        pictures: validation faces to draw; the CED curve, which shows nobody, is drawn in any case.
    """

    def __init__(self, every: int, pictures: int = 0):
        self.every, self.pictures = every, pictures

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, CsvLog):
                logger.rewind(trainer.global_step)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every:
            return
        metrics = {f"train/{name}": value.item() for name, value in outputs.items()}
        metrics["train/lr"] = trainer.optimizers[0].param_groups[0]["lr"]
        metrics["train/grad_norm"] = float(pl_module.grad_norm)  # type: ignore[arg-type]
        _record(trainer, metrics)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        values = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val/")}
        _record(trainer, values)
        for logger in trainer.loggers:
            if hasattr(logger, "log_image"):
                for name, picture in self._draw(pl_module).items():
                    logger.log_image(name, [Image.open(io.BytesIO(picture))], step=trainer.global_step)

    def _draw(self, task: Any) -> dict[str, bytes]:
        pictures = {"val/ced": ced_curves({"validation": task.face_errors.cpu().numpy()}, "ocular")}
        if self.pictures:
            images, predicted, target = (part[: self.pictures].cpu().numpy() for part in task.first_faces)
            size = images.shape[-1]
            pictures["val/faces"] = contact_sheet(
                list((images.transpose(0, 2, 3, 1) * 255).round().astype("uint8")),
                list(denormalise(predicted, size, size)),
                list(denormalise(target, size, size)),
            )
        return pictures


def _record(trainer: pl.Trainer, metrics: dict[str, float]) -> None:
    for logger in trainer.loggers:
        logger.log_metrics(metrics, step=trainer.global_step)
