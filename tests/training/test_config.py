"""Contradictions are refused where they are written, in the words of the command line."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from distill.data.config import DataConfig
from distill.errors import ConfigError
from distill.export.config import CalibrationConfig
from distill.losses.config import CacheConfig, KDConfig, LossConfig
from distill.sweep.config import SweepConfig
from distill.training.config import LogConfig, OptimConfig, RunConfig, StudentConfig, TrainerConfig
from distill.training.detector_config import DetectorConfig

CASES: list[tuple[type, dict[str, Any], str]] = [
    (KDConfig, {"temperature": 0.0}, "--kd.temperature"),
    (KDConfig, {"extra": {"mse": 1.0}}, "--kd.extra"),
    (KDConfig, {"kind": "none", "extra": {"mse": 1.0}}, "--kd.extra"),
    (CacheConfig, {"max_gb": 0.0}, "--kd.cache.max_gb"),
    (DataConfig, {"augment_period": -1}, "--data.augment_period"),
    (DataConfig, {"batch_size": 0}, "--data.batch_size"),
    (LossConfig, {"sigma": 0.0}, "--loss.sigma"),
    (LogConfig, {"every": 0}, "--log.every"),
    (OptimConfig, {"clip": 0.0}, "--optim.clip"),
    (OptimConfig, {"lr": -1e-3}, "--optim.lr"),
    (OptimConfig, {"ema": 1.0}, "--optim.ema"),
    (OptimConfig, {"ema": -0.1}, "--optim.ema"),
    (OptimConfig, {"warmup": 1.0}, "--optim.warmup"),
    (TrainerConfig, {"epochs": 0, "validate_every": 1}, "--trainer.epochs"),
    (TrainerConfig, {"checkpoint_every": 0}, "--trainer.checkpoint_every"),
    (TrainerConfig, {"epochs": 5, "validate_every": 2}, "--trainer.validate_every"),
    (TrainerConfig, {"threads": -1}, "--trainer.threads"),
    (TrainerConfig, {"patience": -1}, "--trainer.patience"),
    (DataConfig, {"workers": -1}, "--data.workers"),
    (LossConfig, {"star": -1.0}, "--loss.star"),
    (KDConfig, {"weight": -1.0}, "--kd.weight"),
    (KDConfig, {"extra": {"kl": -1.0}}, "--kd.extra.kl"),
    (RunConfig, {"seed": -1}, "--seed"),
    (RunConfig, {"name": "."}, "--name"),
    (RunConfig, {"name": "../elsewhere"}, "--name"),
    (RunConfig, {"name": "/elsewhere"}, "--name"),
    (DetectorConfig, {"seed": -1}, "--seed"),
    (DetectorConfig, {"name": ""}, "--name"),
    (CalibrationConfig, {"seed": -1}, "--calibration.seed"),
    (SweepConfig, {"seed": -1}, "--seed"),
    (StudentConfig, {}, "--teacher"),
    (KDConfig, {"kind": "none", "inherit_heads": True}, "--kd.inherit_heads"),
]


@pytest.mark.parametrize(("kind", "values", "flag"), CASES)
def test_contradictions_name_their_flag(kind: type, values: dict[str, Any], flag: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(**values)
    assert flag in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_right_passes() -> None:
    assert StudentConfig(kd=KDConfig("none")).teacher is None
    assert StudentConfig(teacher=Path("t.ckpt")).kd.kind == "mse"
    assert TrainerConfig(epochs=6, validate_every=3).epochs == 6


def _documented(kind: type, visited: set[type]) -> None:
    visited.add(kind)
    for field in fields(kind):
        owners = [owner for owner in kind.__mro__ if f"{field.name}:" in (owner.__doc__ or "")]
        assert owners, f"{kind.__name__}.{field.name} has no doc line, so its help is empty"
        value = field.default_factory() if callable(field.default_factory) else field.default  # type: ignore[misc]
        if is_dataclass(value) and type(value) not in visited:
            _documented(type(value), visited)


def test_every_option_has_a_help_text() -> None:
    visited: set[type] = set()
    _documented(RunConfig, visited)
    _documented(StudentConfig, visited)
    assert len(visited) > 8
