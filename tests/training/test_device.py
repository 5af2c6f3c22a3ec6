"""A device that is not there is refused in one line."""

import pytest
import torch

from distill.errors import ConfigError
from distill.training.config import RunConfig, TrainerConfig
from distill.training.device import require_device
from distill.training.session import training_session


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_a_device_that_is_absent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gpu", "mps"):
        with pytest.raises(ConfigError, match=f"--trainer.accelerator {name}: torch finds none here"):
            require_device(TrainerConfig(accelerator=name))
    for name in ("auto", "cpu"):
        require_device(TrainerConfig(accelerator=name))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    require_device(TrainerConfig(accelerator="gpu"))


@pytest.mark.parametrize("accelerator", ["auto", "gpu"])
def test_more_devices_than_there_are(accelerator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    require_device(TrainerConfig(accelerator=accelerator, devices=2))
    with pytest.raises(ConfigError, match=r"--trainer.devices 3: torch finds 2 here; give at most 2"):
        require_device(TrainerConfig(accelerator=accelerator, devices=3))


def test_a_cpu_runs_several_processes() -> None:
    for name in ("auto", "cpu"):
        require_device(TrainerConfig(accelerator=name, devices=4))


def test_it_is_refused_before_any_face_is_read() -> None:
    with pytest.raises(ConfigError, match="torch finds none here"):
        training_session(RunConfig(trainer=TrainerConfig(accelerator="gpu")))
