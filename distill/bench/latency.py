"""Latency of one image, measured interleaved, so that the numbers of one run are comparable.

The models are interleaved (A A B B A A B B ...), so that a busy moment or a change of clock affects all alike;
medians are compared, never best times of different runs. In each round the first call is not timed: it brings the
model's weights back into the caches and wakes its threads after the model before it.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

Call = Callable[[], object]


class Measured(NamedTuple):
    """Result of a call that measured itself, in another process."""

    ms: float


class Loaded(NamedTuple):
    """A model that is ready to be timed in an engine.

    Attributes:
        call: runs it once on random inputs; inputs and outputs stay where they are.
        outputs: of these inputs, in the order of the file.
    """

    call: Call
    outputs: list[NDArray[Any]]


# Above this spread of the medians of five parts of a run, the machine was not quiet enough.
STABLE = 0.05
_PARTS = 5


@dataclass(frozen=True)
class Timing:
    """One model's times in milliseconds.

    Attributes:
        iqr_ms: distance between the quartiles.
        spread: range of the medians of five consecutive parts of the run, over the median.
        ratio: median over the reference's median.
    """

    name: str
    median_ms: float
    iqr_ms: float
    spread: float
    ratio: float

    @property
    def stable(self) -> bool:
        return self.spread <= STABLE

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"stable": self.stable}


@contextmanager
def torch_threads_kept() -> Iterator[None]:
    """Give torch back the number of threads it had before; does nothing where torch is not loaded."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before)


def compare(
    models: Mapping[str, Call],
    rounds: int = 50,
    warmup: int = 5,
    references: Mapping[str, str] | None = None,
    progress: bool = False,
) -> dict[str, Timing]:
    """Time models, interleaved.

    Args:
        models: name -> a call that runs one image.
        rounds: timed calls of each; at least 5.
        warmup: rounds before any is timed.
        references: for each name, whose median its ratio is relative to; the first model's by default.
        progress: show a bar on standard error.

    Raises:
        ConfigError: nothing to time, or too few rounds to judge the stability.
    """
    if not models:
        raise ConfigError("nothing to time: give at least one model")
    if rounds < _PARTS or warmup < 0:
        raise ConfigError(f"{rounds} rounds after {warmup} of warm-up: give at least {_PARTS} and 0")
    times: dict[str, list[float]] = {name: [] for name in models}
    with torch_threads_kept():
        for step in _steps(warmup + rounds, len(models), progress):
            for name, call in models.items():
                call()
                start = time.perf_counter()
                result = call()
                elapsed = time.perf_counter() - start
                if step >= warmup:
                    times[name].append(result.ms if isinstance(result, Measured) else elapsed * 1000)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    first = next(iter(models))
    return {
        name: _timing(name, np.array(values), medians[(references or {}).get(name, first)])
        for name, values in times.items()
    }


def _steps(count: int, models: int, progress: bool) -> Iterator[int]:
    from rich.console import Console
    from rich.progress import track

    text = f"Timing {models} rows, interleaved"
    yield from track(range(count), description=text, console=Console(stderr=True), disable=not progress)


def _timing(name: str, values: NDArray[np.float64], reference: float) -> Timing:
    median = float(np.median(values))
    parts = [float(np.median(part)) for part in np.array_split(values, _PARTS)]
    low, high = np.percentile(values, [25, 75])
    return Timing(name, median, float(high - low), (max(parts) - min(parts)) / median, median / reference)


def torch_call(net: "nn.Module", size: int, threads: int = 1) -> Call:
    """Return a call that runs a network in eager PyTorch on one random crop, on the CPU."""
    import torch

    net, image = net.cpu().eval(), torch.rand(1, 3, size, size)

    def call() -> object:
        # One setting for the whole process: the untimed call of a round changes it.
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            return net(image)

    return call


def tflite_call(model: str | Path | bytes, threads: int = 1) -> Call:
    """Return a call that invokes a TFLite file, with any inputs and outputs, in the runtime installed.

    Only `invoke` is inside: the inputs are random, set once, and no output is copied out.

    Raises:
        CheckpointError: a file this runtime cannot load or feed.
        ConfigError: no TFLite runtime is installed.
    """
    from distill.bench.runners import load_tflite

    invoke: Call = load_tflite(model, threads).invoke
    return invoke


def onnx_call(path: str | Path, threads: int = 1) -> Call:
    """Return a call that runs an ONNX file in ONNX Runtime on random inputs bound once, outputs left where they are.

    Raises:
        CheckpointError: a file ONNX Runtime cannot load or feed.
        ConfigError: ONNX Runtime is not installed.
    """
    from distill.bench.runners import load_onnx

    session, binding = load_onnx(path, threads)
    return lambda: session.run_with_iobinding(binding)


@dataclass(frozen=True)
class Acceptance:
    """Latency requirement of the export: one-thread LiteRT takes at most `limit` of PyTorch's time on the same net."""

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


def accept(net: "nn.Module", fp32: str | Path, size: int, rounds: int = 50, limit: float = 0.5) -> Acceptance:
    """Time a network and its fp32 TFLite file against each other in one run, one thread each."""
    models = {"PyTorch": torch_call(net, size), "TFLite fp32": tflite_call(fp32)}
    return Acceptance(compare(models, rounds), limit)
