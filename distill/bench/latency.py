"""How long one image takes, measured so that two numbers of one run can be compared.

The models take turns (A B A B ...) on one thread, so that a busy moment or a change of clock hits all of them alike;
medians are compared, never best times of different runs.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from distill.interpreter import TFLiteNet

# Above this spread of the medians of five parts of a run, the machine was not quiet enough.
_STABLE = 0.05


@dataclass(frozen=True)
class Timing:
    """One model's times in milliseconds.

    Attributes:
        iqr_ms: distance between the quartiles.
        spread: range of the medians of five consecutive parts of the run, over the median.
        ratio: median over the first model's median.
    """

    name: str
    median_ms: float
    iqr_ms: float
    spread: float
    ratio: float

    @property
    def stable(self) -> bool:
        return self.spread <= _STABLE

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"stable": self.stable}


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread inside, as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def compare(models: Mapping[str, Callable[[], object]], rounds: int = 50, warmup: int = 5) -> dict[str, Timing]:
    """Time models in turns on one thread.

    Args:
        models: name -> a call that runs one image; ratios are relative to the first.
        rounds: timed calls of each; at least 5.
        warmup: calls of each before any is timed.
    """
    times: dict[str, list[float]] = {name: [] for name in models}
    with one_thread():
        for step in range(warmup + rounds):
            for name, call in models.items():
                start = time.perf_counter()
                call()
                if step >= warmup:
                    times[name].append((time.perf_counter() - start) * 1000)
    first = float(np.median(next(iter(times.values()))))
    return {name: _timing(name, np.array(values), first) for name, values in times.items()}


def _timing(name: str, values: NDArray[np.float64], first: float) -> Timing:
    median = float(np.median(values))
    parts = [float(np.median(part)) for part in np.array_split(values, 5)]
    low, high = np.percentile(values, [25, 75])
    return Timing(name, median, float(high - low), (max(parts) - min(parts)) / median, median / first)


def torch_call(net: nn.Module, size: int) -> Callable[[], object]:
    """Return a call that runs a network in eager PyTorch on one random crop, on the CPU."""
    net, image = net.cpu().eval(), torch.rand(1, 3, size, size)

    def call() -> object:
        with torch.inference_mode():
            return net(image)

    return call


def tflite_call(path: str | Path) -> Callable[[], object]:
    """Return a call that runs a TFLite file on one thread of the runtime installed, on one random crop."""
    net = TFLiteNet(path, threads=1)
    image = np.random.default_rng(0).random(net.input_shape, np.float32)
    return lambda: net(image)


@dataclass(frozen=True)
class Acceptance:
    """The promise of the export: one-thread LiteRT takes at most `limit` of PyTorch's time on the same net."""

    timings: dict[str, Timing]
    limit: float

    @property
    def ratio(self) -> float:
        return self.timings["TFLite fp32"].ratio

    @property
    def passed(self) -> bool:
        return self.ratio <= self.limit

    def __str__(self) -> str:
        torch_ms, tflite_ms = (timing.median_ms for timing in self.timings.values())
        verdict = "passed" if self.passed else "FAILED"
        steady = "" if all(timing.stable for timing in self.timings.values()) else ", unstable: the machine was busy"
        return (
            f"one-thread latency: LiteRT fp32 {tflite_ms:.2f} ms, PyTorch {torch_ms:.2f} ms, "
            f"ratio {self.ratio:.3f} <= {self.limit}: {verdict}{steady}"
        )


def accept(net: nn.Module, fp32: str | Path, size: int, rounds: int = 50, limit: float = 0.5) -> Acceptance:
    """Time a network and its fp32 TFLite file against each other in one run."""
    models = {"PyTorch": torch_call(net, size), "TFLite fp32": tflite_call(fp32)}
    return Acceptance(compare(models, rounds), limit)
