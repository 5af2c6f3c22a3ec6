"""Peak memory of a model, measured in a child process, which also shows whether it runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import distill
from distill.errors import CheckpointError
from distill.system.processes import ending_with_parent


def peak_memory(path: str | Path, timeout_s: float = 120, limit: int = 32 * 2**30) -> int | None:
    """Return the resident bytes that loading and running a model adds to a process at its peak, one thread.

    What the libraries take before the model is loaded does not count; a mapped model file does as far as it is read.

    Args:
        limit: address space the child may use, in bytes; torch and its libraries reserve several gigabytes.

    Returns:
        None where the system does not report it.

    Raises:
        CheckpointError: the model crashes or hangs its runtime, or cannot be run; nothing of it ran in this process.
    """
    rss: int | None = _in_child(path, timeout_s, [str(limit)])["rss_bytes"]
    return rss


def try_openvino(path: str | Path, timeout_s: float = 120, limit: int = 32 * 2**30) -> None:
    """Load and run a model in OpenVINO once, in a child process.

    Raises:
        CheckpointError: see `peak_memory`.
    """
    _in_child(path, timeout_s, [str(limit), "openvino"])


def _in_child(path: str | Path, timeout_s: float, options: list[str]) -> dict[str, Any]:
    """Return what `distill.bench.memory_worker` prints about a model."""
    words = ["-m", "distill.bench.memory_worker", str(Path(path).resolve()), *options]
    command = ending_with_parent([sys.executable, *words])
    package = str(Path(distill.__file__).parents[1])
    search = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH")) if part)
    environment = os.environ | {"PYTHONPATH": search, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, env=environment, timeout=timeout_s, capture_output=True, text=True, errors="replace"
        )
    except subprocess.TimeoutExpired as error:
        raise CheckpointError(f"{path}: no answer within {timeout_s:g} s of loading it; is the file whole?") from error
    if done.returncode < 0:
        reason = signal.Signals(-done.returncode).name
        raise CheckpointError(f"{path}: crashes its runtime ({reason}); export or download it again")
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    if done.returncode:
        raise CheckpointError(lines[-1][:400])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
