"""Configuration of a run, `config.yaml` in its folder."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml

from distill.files import write_text
from distill.training.loggers.csv import is_first_process, plain_config

NAME = "config.yaml"


class StoredConfig(pl.Callback):
    """Writes `config.yaml`: of a new run at once, of a resumed one when its checkpoint was accepted.

    A run that is refused, as one with other data, keeps the configuration that it was trained with.

    Args:
        folder: of the run.
        config: its configuration.
        resumed: whether training goes on from a checkpoint.
    """

    def __init__(self, folder: Path, config: Any, resumed: bool) -> None:
        self.path, self.text = folder / NAME, yaml.safe_dump(plain_config(config), sort_keys=False)
        if not resumed:
            self._write()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write()

    def _write(self) -> None:
        if is_first_process():
            write_text(self.path, self.text)
