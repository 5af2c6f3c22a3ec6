"""The TFLite runtimes on this machine, and running a model in one without trusting it.

Old runtimes crash on files they dislike (tflite-runtime 2.14 segfaults on damaged ones), so a model is always loaded
in a child process with a time limit and a memory limit.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError
from distill.export.opcheck import parse_version

# A Python (3.7 to 3.9) in which tflite-runtime 2.11 is installed; newer Pythons have no wheel of it.
OLD_PYTHON = "DISTILL_TFLITE211_PYTHON"

_WORKER = Path(__file__).with_name("runtime_worker.py")
_MODULES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tensorflow": ("tensorflow", "tensorflow"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
}


@dataclass(frozen=True)
class Runtime:
    """A TFLite interpreter: its package, version, the module to import and the Python that has it."""

    name: str
    version: str
    module: str
    python: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def covers(self, release: str) -> bool:
        """Tell whether models made for a TensorFlow release ought to run here. LiteRT counts anew, after 2.19."""
        return self.name == "litert" or parse_version(self.version) >= parse_version(release)


@dataclass(frozen=True)
class RuntimeFailure:
    """Why a model did not run.

    Attributes:
        kind: `crash` (killed by a signal), `timeout`, or `error` (the runtime said no).
    """

    kind: Literal["crash", "timeout", "error"]
    text: str


def list_runtimes() -> list[Runtime]:
    """Return the runtimes present: those of this Python, and tflite-runtime of an older one.

    The older Python is the one the environment variable DISTILL_TFLITE211_PYTHON names, else `python3.9` on PATH when
    it has tflite_runtime.

    Raises:
        ConfigError: the variable names a Python without tflite_runtime.
    """
    found = []
    for name, (module, package) in _MODULES.items():
        if importlib.util.find_spec(module.partition(".")[0]):
            found.append(Runtime(name, importlib.metadata.version(package), module, sys.executable))
    chosen = os.environ.get(OLD_PYTHON)
    older = _older(chosen or shutil.which("python3.9"))
    if chosen and older is None:
        raise ConfigError(
            f"{OLD_PYTHON}={chosen}: cannot import tflite_runtime; pip install tflite-runtime==2.11.0 there"
        )
    return [*found, older] if older else found


@lru_cache
def _older(python: str | None) -> Runtime | None:
    if python is None:
        return None
    module, package = _MODULES["tflite-runtime"]
    code = f"import {module}, importlib.metadata as m; print(m.version('{package}'))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Runtime("tflite-runtime", done.stdout.strip(), module, python) if done.returncode == 0 else None


def run_in_child(
    runtime: Runtime,
    model: str | Path,
    inputs: NDArray[np.generic],
    timeout_s: float = 300,
    memory: int = 16 * 2**30,
) -> NDArray[np.float32] | RuntimeFailure:
    """Run a model on inputs one by one in a child process.

    Args:
        model: a TFLite file with one input and one output.
        inputs: (n, ...) of the type the model takes; each row is run as a batch of one.
        memory: address space the child may use, in bytes; importing tensorflow alone takes several gigabytes of it.

    Returns:
        (n, k, 2), the stacked outputs, or what went wrong. It never raises on account of the model.
    """
    with tempfile.TemporaryDirectory(prefix="tflite-") as folder:
        given, taken = Path(folder, "inputs.npy"), Path(folder, "outputs.npy")
        np.save(given, np.ascontiguousarray(inputs))
        command = [runtime.python, str(_WORKER), runtime.module, str(Path(model).resolve()), str(given), str(taken)]
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        try:
            done = subprocess.run(
                [*command, str(memory)], cwd=folder, env=environment, timeout=timeout_s,
                capture_output=True, text=True, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return RuntimeFailure("timeout", f"no answer within {timeout_s:g} s")
        if done.returncode < 0:
            return RuntimeFailure("crash", f"killed by {signal.Signals(-done.returncode).name}")
        if done.returncode or not taken.is_file():
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            return RuntimeFailure("error", lines[-1][:300])
        outputs: NDArray[np.float32] = np.load(taken)
        return outputs
