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
    require_device(TrainerConfig(accelerator="gpu"))


def test_it_is_refused_before_any_face_is_read() -> None:
    with pytest.raises(ConfigError, match="torch finds none here"):
        training_session(RunConfig(trainer=TrainerConfig(accelerator="gpu")))
