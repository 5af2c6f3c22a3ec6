"""The machine of a run: description, load, and peak arithmetic rate."""

import os
import platform
import re
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from distill.errors import ConfigError
from distill.system.processes import cores
from distill.tflite.builder import constant, single_op_model, variable
from distill.tflite.flatbuffer import Table
from distill.tflite.model import Operator

_PACKAGES = (
    "ai-edge-litert", "tflite-runtime", "onnxruntime", "onnxruntime-gpu", "openvino", "torch", "tensorflow",
    "mediapipe", "numpy",
)  # fmt: skip
_ENVIRONMENT = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS")

# Cores' worth of other processes from which a run is called disturbed.
BUSY = 0.1


def thread_counts(texts: Sequence[str], available: int | None = None) -> tuple[int, ...]:
    """Return `1 2 4 max` as numbers, each once.

    Args:
        texts: numbers, or `max`.
        available: cores that `max` stands for; by default every core this process may use.

    Raises:
        ConfigError: not a number of threads.
    """
    counts = []
    for text in texts:
        if text != "max" and not (text.isdecimal() and 0 < int(text) <= 1024):
            raise ConfigError(f"'{text}' is no number of threads; give 1, 2, … or max")
        counts.append((available or cores()) if text == "max" else int(text))
    if not counts:
        raise ConfigError("no number of threads given; give --threads 1")
    return tuple(dict.fromkeys(counts))


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, governor, system, and versions of what runs models; None where it cannot be told."""
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "architecture": platform.machine(),
        "governor": governor.read_text().strip() if governor.is_file() else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "environment": {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    }


def _cpu_model() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or None
    # ARM kernels write the part numbers only.
    found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class LoadMeter:
    """How busy everything else is between its making and `read`."""

    def __init__(self) -> None:
        self._average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        self._start, self._busy, self._own = time.perf_counter(), _busy_seconds(), _own_seconds()

    def read(self) -> dict[str, Any]:
        """Return the load average at the start and the cores that other processes (or other guests) used since."""
        others, busy = None, _busy_seconds()
        if busy is not None and self._busy is not None:
            seconds = time.perf_counter() - self._start
            others = max(0.0, (busy - self._busy) - (_own_seconds() - self._own)) / seconds
        return {"load_average_before": self._average, "cores_used_by_others": others}


def _busy_seconds() -> float | None:
    """Seconds of work of all cores since the start of the system, also what a hypervisor gave to others."""
    try:
        user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def busy_warning(load: dict[str, Any]) -> str | None:
    """Return a line when a run was disturbed, else None."""
    others = load["cores_used_by_others"]
    if others is None or others <= BUSY:
        return None
    return f"other processes used {others:.1f} cores during the run: ratios may mislead, milliseconds surely do"


# Convolutions large enough to keep the multipliers busy and small enough for the second cache, as
# (side of the map, channels in and out, side of the kernel).
PEAK_CONVOLUTIONS = ((32, 256, 1), (16, 512, 1))


def convolution(size: int, channels: int, kernel: int) -> bytes:
    """Return a TFLite file of one fp32 convolution."""
    image = variable("FLOAT32", (1, size, size, channels))
    weights = constant("FLOAT32", (channels, kernel, kernel, channels))
    options = Table("Conv2DOptions", {"padding": 0, "stride_w": 1, "stride_h": 1})
    return single_op_model(Operator("CONV_2D", (image, weights, constant("FLOAT32", (channels,))), (image,), options))


def convolution_macs(size: int, channels: int, kernel: int) -> int:
    """Return the multiply-accumulates of `convolution`."""
    return size**2 * channels**2 * kernel**2
