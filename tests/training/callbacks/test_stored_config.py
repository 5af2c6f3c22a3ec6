"""The configuration of a run: a new one is stored at once, that of a resumed run when its checkpoint was accepted."""

from pathlib import Path
from typing import Any

import yaml

from distill.training.callbacks.stored_config import StoredConfig
from distill.training.config import TrainerConfig


def test_a_resumed_run_keeps_its_configuration_until_training_starts(tmp_path: Path) -> None:
    nothing: Any = None
    StoredConfig(tmp_path, TrainerConfig(epochs=4), resumed=False)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["epochs"] == 4
    stored = StoredConfig(tmp_path, TrainerConfig(epochs=6), resumed=True)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["epochs"] == 4
    stored.on_train_start(nothing, nothing)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["epochs"] == 6
