"""TFLite runtimes of this machine, and running untrusted models in them.

Old runtimes crash on damaged files (tflite-runtime 2.14 segfaults), so a model is always loaded in a child process with
a time limit and a memory limit, after its hash was compared with its sidecar's.
"""

import importlib.metadata
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from distill.environments import ENVIRONMENTS, ensure_environment, find_environment
from distill.environments.pythons import find_python
from distill.errors import ConfigError
from distill.system.processes import ending_with_parent
from distill.tflite.integrity import refusal
from distill.tflite.releases import parse_release, parse_version

# A Python (3.7 to 3.9) in which tflite-runtime 2.11 is installed; newer Pythons have no wheel of it.
OLD_PYTHON = "DISTILL_TFLITE211_PYTHON"

Failure = Literal["crash", "timeout", "error"]

# A server without a reply so long after its own time limit has died; importing tensorflow takes a while.
_GRACE_S, START_S = 5, 120
WORKER = Path(__file__).with_name("runtime_worker.py")
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
        """Whether models for a TensorFlow release should run here. LiteRT follows 2.19, with numbers from 1 again."""
        wanted = parse_release(release)
        if wanted.family == "litert":
            return self.name == "litert" and parse_version(self.version) >= (wanted.version or (0, 0, 0))
        return self.name == "litert" or parse_version(self.version) >= (wanted.version or (0, 0, 0))


@dataclass(frozen=True)
class RuntimeFailure:
    """Why a model did not run.

    Attributes:
        kind: `crash` (killed by a signal), `timeout`, or `error` (refused by the runtime).
    """

    kind: Failure
    text: str


def list_runtimes() -> list[Runtime]:
    """Return the runtimes present: those of this Python, and tflite-runtime of an older one.

    The older Python is the one that the environment variable DISTILL_TFLITE211_PYTHON names, else that of the
    environment `tflite211` where it was made, else `python3.9` on PATH if it has tflite_runtime.

    Raises:
        ConfigError: the variable names a Python without tflite_runtime.
    """
    found = []
    for name, (module, package) in _MODULES.items():
        if importlib.util.find_spec(module.partition(".")[0]):
            found.append(Runtime(name, importlib.metadata.version(package), module, sys.executable))
    chosen = os.environ.get(OLD_PYTHON)
    if chosen and _older(chosen) is None:
        raise ConfigError(
            f"{OLD_PYTHON}={chosen}: cannot import tflite_runtime; pip install tflite-runtime==2.11.0 there"
        )
    older = _older(chosen or find_environment("tflite211") or shutil.which("python3.9"))
    return [*found, older] if older else found


def provide_runtime(release: str) -> str | None:
    """Make the environment of an old release that a model is checked against, if a Python for it is installed.

    Returns:
        why there is none, or None where there is one or this release needs none.
    """
    wanted = parse_release(release)
    if wanted.family != "tflite" or (wanted.version or (0,))[:2] != (2, 11):
        return None
    if any(str(runtime) == "tflite-runtime 2.11.0" for runtime in list_runtimes()):
        return None
    if find_python(ENVIRONMENTS["tflite211"].pythons) is None:
        return "no Python 3.9 is installed, which tflite-runtime 2.11.0 needs (`uv python install 3.9`)"
    try:
        ensure_environment("tflite211")
    except ConfigError as error:
        return str(error)
    return None


@lru_cache
def _older(python: str | None) -> Runtime | None:
    if python is None:
        return None
    module, package = _MODULES["tflite-runtime"]
    code = f"import {module}, importlib.metadata as m; print(m.version('{package}'))"
    try:
        command = ending_with_parent([python, "-c", code])
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
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
    """Run a model on inputs in a child process, in batches of the size that the file has.

    Args:
        model: a TFLite file with one input and one output (b, k, 2), or with a second one (b, k), their confidence;
            refused when its sidecar states another SHA-256.
        inputs: (n, ...) of the type the model takes.
        memory: address space the child may use, in bytes; importing tensorflow alone takes several gigabytes of it.

    Returns:
        the stacked outputs, (n, k, 2) or with the confidence as third column (n, k, 3), or the failure. A bad model
        never raises.
    """
    refused = refusal(model)
    if refused:
        return RuntimeFailure("error", refused)
    with tempfile.TemporaryDirectory(prefix="tflite-") as folder:
        source, result = Path(folder, "inputs.npy"), Path(folder, "outputs.npy")
        np.save(source, np.ascontiguousarray(inputs))
        command = [runtime.python, str(WORKER), runtime.module, str(Path(model).resolve()), str(source), str(result)]
        try:
            done = subprocess.run(
                ending_with_parent([*command, str(memory)]), cwd=folder, env=child_environment(), timeout=timeout_s,
                capture_output=True, text=True, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return RuntimeFailure("timeout", f"no answer within {timeout_s:g} s")
        if done.returncode < 0:
            return RuntimeFailure("crash", f"killed by {signal.Signals(-done.returncode).name}")
        if done.returncode or not result.is_file():
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            return RuntimeFailure("error", lines[-1][:300])
        outputs: NDArray[np.float32] = np.load(result)
        return outputs


def child_environment() -> dict[str, str]:
    """Return the environment of a child: ours without what would lead an older Python to this one's packages."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return kept | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def read_line(child: "subprocess.Popen[bytes]", timeout_s: float) -> bytes:
    """Read one line of the child's replies, which are short."""
    assert child.stdout is not None
    line, deadline = b"", time.monotonic() + timeout_s
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            raise ValueError(f"no answer within {timeout_s:g} s")
        block = os.read(child.stdout.fileno(), 1 << 16)
        if not block:
            raise ValueError("no answer")
        line += block
    return line.strip()


class RuntimeServer:
    """A child process that imports a runtime once and forks for each model: many files at milliseconds each.

    A context manager. Inputs are generated (noise or zeros); models may have any number of inputs and outputs. The
    child is started at the first model, and again after it died.
    """

    def __init__(self, runtime: Runtime, timeout_s: float = 60, memory: int = 4 * 2**30) -> None:
        """Set the runtime and the limits of a model.

        Args:
            timeout_s: for one model, from its load to its output.
            memory: address space a model may take on top of the runtime's own, in bytes.
        """
        self.runtime, self.timeout_s, self.memory = runtime, timeout_s, memory
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "RuntimeServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, model: str | Path) -> RuntimeFailure | None:
        """Load a model, run it once and return None, or the failure; a bad model never raises."""
        refused = refusal(model)
        if refused:
            return RuntimeFailure("error", refused)
        request = {"model": str(Path(model).resolve()), "timeout": self.timeout_s, "memory": self.memory}
        try:
            reply = self._ask(request)
        except (OSError, ValueError) as error:
            self.close()
            return RuntimeFailure("crash", f"the process of {self.runtime} ended: {error}")
        return None if reply["kind"] == "runs" else RuntimeFailure(reply["kind"], reply["text"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        child = self._child or self._start()
        assert child.stdin is not None
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        reply = json.loads(read_line(child, self.timeout_s + _GRACE_S))
        if not isinstance(reply, dict) or reply.get("kind") not in ("runs", *get_args(Failure)):
            raise ValueError(f"unexpected reply {reply!r}")
        return reply

    def _start(self) -> "subprocess.Popen[bytes]":
        self._child = subprocess.Popen(
            ending_with_parent([self.runtime.python, str(WORKER), "--serve", self.runtime.module]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=child_environment(), start_new_session=True,
        )  # fmt: skip
        if read_line(self._child, START_S) != b"ready":
            raise ValueError("it did not start")
        return self._child

    def close(self) -> None:
        """End the child and the processes that it forked."""
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
