"""What a training starts from."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from distill.files import sha256
from distill.models.config import ModelConfig
from distill.pretrained.registry import CHECKPOINTS
from distill.tracking.artifact import dataset_artifact
from distill.training import lineage
from distill.training.config import StudentConfig


def test_released_models_are_inputs_under_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--teacher student_68_128` ended with 'No such file', and `--model.init` by name was in no record."""
    faces = dataset_artifact("faces", "0" * 64, 1, "inner51")
    monkeypatch.setattr(lineage, "_faces", lambda *_: faces)
    config = StudentConfig(teacher=Path("student_68_256"), model=ModelConfig(init=Path("efld_51_128")))
    assert config.teachers == [CHECKPOINTS / "student_68_256.safetensors"]
    empty: Any = SimpleNamespace(train=SimpleNamespace(records=()), val=SimpleNamespace(records=()))
    found = lineage.training_inputs(config, SimpleNamespace(), empty)  # type: ignore[arg-type]
    models = {artifact.name: artifact.sha256 for artifact in found if artifact.type == "model"}
    names = ("student_68_256", "efld_51_128")
    assert models == {name: sha256(CHECKPOINTS / f"{name}.safetensors") for name in names}
