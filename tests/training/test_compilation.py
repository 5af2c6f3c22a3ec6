"""A compiled training has the files of any other and resumes to the bit; what cannot work is refused."""

import logging
import signal
from dataclasses import replace
from typing import Any

import pytest
import torch

from distill.errors import ConfigError
from distill.losses.config import KDConfig
from distill.models.checkpoint import load_model
from distill.training.compilation import require_compiler
from distill.training.config import TrainerConfig
from distill.training.detector_config import DetectorConfig
from distill.training.fit import train_student, train_teacher
from tests.support.training_runs import numbers, same_weights

_CALLS: list[int] = []


def _counting(graph: torch.fx.GraphModule, example: list[Any]) -> Any:
    """A backend that generates no code."""
    del example
    _CALLS.append(0)
    return graph.forward


@pytest.fixture(autouse=True)
def no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    torch._dynamo.reset()
    _CALLS.clear()
    monkeypatch.setattr("distill.training.compilation._BACKEND", _counting)


def test_a_compiled_training_resumes_to_the_bit_and_has_the_usual_weights(
    make_config: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    options = {"trainer": {"epochs": 2, "compile": True}}
    plain = train_teacher(make_config("plain", trainer={"epochs": 2}))
    assert not _CALLS
    assert "may take minutes" not in capfd.readouterr().out
    whole = train_teacher(make_config("whole", **options))
    assert capfd.readouterr().out.count("compile the network, which may take minutes") == 1
    assert len(_CALLS) > 1, "the arithmetic that tries the compiler, and the network"
    assert numbers(whole).keys() == numbers(plain).keys()
    state = torch.load(whole / "last.ckpt", weights_only=True)["state_dict"]
    assert state.keys() == torch.load(plain / "last.ckpt", weights_only=True)["state_dict"].keys()
    load_model(whole / "best.ckpt")

    config = make_config("cut", **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distill.training.callbacks.stop_on_signal.StopOnSignal._requested", _after_three_steps)
        with pytest.raises(SystemExit):
            train_teacher(config)
    with pytest.raises(ConfigError, match=r"--trainer.compile was True, now it is False"):
        train_teacher(replace(config, resume=True, trainer=replace(config.trainer, compile=False)))
    cut = train_teacher(replace(config, resume=True))
    assert numbers(cut) == numbers(whole)
    assert same_weights(cut / "last.ckpt", whole / "last.ckpt")


def _after_three_steps(callback: Any, trainer: Any) -> bool:
    callback.request.number = signal.SIGTERM * (trainer.global_step == 3)
    return bool(callback.request.number)


def test_without_a_compiler_it_is_one_line_at_the_start(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(graph: Any, example: Any) -> Any:
        raise RuntimeError("no compiler\nsecond line")

    monkeypatch.setattr("distill.training.compilation._BACKEND", fail)
    monkeypatch.setattr("distill.training.fit.make_data", None)  # no face is read
    with pytest.raises(
        ConfigError, match=r"--trainer.compile: cannot compile here \(no compiler\); install a C\+\+"
    ) as e:
        train_teacher(make_config("run", trainer={"compile": True, "accelerator": "cpu"}))
    assert "\n" not in str(e.value)


def test_features_within_the_network_are_refused(make_config: Any, teacher: Any) -> None:
    config = make_config("run", teacher=teacher, kd=KDConfig("feature"), trainer={"compile": True})
    with pytest.raises(ConfigError, match="`feature` reads the network within"):
        train_student(config)


def test_an_apple_gpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="for CPUs and NVIDIA GPUs"):
        require_compiler(TrainerConfig(accelerator="mps", compile=True))


def test_torchs_line_about_cuda_is_hidden_on_a_cpu_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """It came at the first compilation on machines with a CUDA toolkit and without a GPU."""
    require_compiler(TrainerConfig(accelerator="cpu", compile=True))
    logger = logging.getLogger("torch.utils.cpp_extension")
    logger.warning("No CUDA runtime is found, using CUDA_HOME='%s'", "/usr/local/cuda")
    logger.warning("an error of the compiler")
    assert [record.getMessage() for record in caplog.records if record.name == logger.name] == [
        "an error of the compiler"
    ]


def test_a_detector_is_not_compiled() -> None:
    with pytest.raises(ConfigError, match="the training of a detector is not compiled; leave the option out"):
        DetectorConfig(trainer=TrainerConfig(compile=True))
