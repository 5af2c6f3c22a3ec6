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
from distill.training.lineage import best_metrics


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


@pytest.mark.parametrize(("name", "best"), [("val/nme", 2), ("val/ap", 3)])
def test_the_best_validation_is_the_first_of_equal_ones(tmp_path: Path, name: str, best: int) -> None:
    """`best.ckpt` is of that step; a validation without a number is none."""
    rows = [(1, "nan"), (2, 0.2), (3, 0.9), (4, 0.9), (5, 0.2)]
    lines = [f"{step},{metric},{value}" for step, value in rows for metric in (name, "val/other")]
    (tmp_path / "metrics.csv").write_text("\n".join(["step,name,value", *lines, ""]))
    value = dict(rows)[best]
    assert best_metrics(tmp_path) == {"best_step": best, name.replace("/", "_"): value, "val_other": value}
