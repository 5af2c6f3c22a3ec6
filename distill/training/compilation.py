"""Compile the network of a training with torch.compile, which generates code for its forward and backward pass."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from distill.errors import ConfigError
from distill.losses.cross_format import CrossFormatLoss
from distill.training.config import TrainerConfig
from distill.training.tasks import LandmarkTask

_OPTION = "--trainer.compile"
_BACKEND = "inductor"
_SLOW = f"{_OPTION}: the first step and the first validation compile the network, which may take minutes"


def require_compiler(config: TrainerConfig) -> None:
    """Compile one line of arithmetic, so that a compiler that is missing is known before any face is read.

    Raises:
        ConfigError: torch cannot compile for the device of the training.
    """
    if not config.compile:
        return
    gpu = config.accelerator != "cpu" and torch.cuda.is_available()
    if config.accelerator == "mps" or (config.accelerator == "auto" and not gpu and torch.backends.mps.is_available()):
        raise ConfigError(f"{_OPTION} is for CPUs and NVIDIA GPUs; leave it out")
    if not gpu:
        logging.getLogger("torch.utils.cpp_extension").addFilter(_is_no_remark_on_cuda)
    try:
        torch.compile(_arithmetic, backend=_BACKEND)(torch.ones(16, device="cuda" if gpu else "cpu"))
    except Exception as error:
        cause = getattr(error, "inner_exception", error)  # of the compiler, within dynamo's own
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
        need = "Triton and a C compiler" if gpu else "a C++ compiler such as g++ (CXX names another)"
        raise ConfigError(f"{_OPTION}: cannot compile here ({reason}); install {need}, or leave it out") from error


def _is_no_remark_on_cuda(record: logging.LogRecord) -> bool:
    """Whether a line of torch is not the one that there is a CUDA toolkit without a GPU, which CPUs do not need."""
    return not record.getMessage().startswith("No CUDA runtime is found")


def _arithmetic(x: Tensor) -> Tensor:
    return x * x + 1


def compile_network(task: LandmarkTask, notify: Callable[[str], object]) -> None:
    """Have the network of a task compiled at its first batch; names of weights and the forms without it stay.

    Args:
        task: landmark task.
        notify: receives the line that this takes its time.

    Raises:
        ConfigError: the task computes parts of its network, or reads features within it.
    """
    if isinstance(task.loss, CrossFormatLoss):
        raise ConfigError(f"{_OPTION} has no effect on a network with heads of several data sets; leave it out")
    if getattr(task, "feature", None) is not None:
        raise ConfigError(f"{_OPTION}: the kind `feature` reads the network within; leave one of the two out")
    # One size of batches: sizes that differ are compiled each, instead of slower code for all.
    task.net.compile(backend=_BACKEND, dynamic=False)
    notify(_SLOW)
