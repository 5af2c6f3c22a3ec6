"""Run converters as child processes: their environment, and the last error of their logs."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from distill.errors import ExportError
from distill.system.processes import ending_with_parent


def run_converter(name: str, command: Sequence[str], folder: Path, timeout_s: float, python: str | None = None) -> None:
    """Run a converter in `folder`.

    Args:
        name: for messages and the name of its log.
        command: arguments of Python.
        folder: working directory.
        timeout_s: after which it is ended.
        python: interpreter of the environment that has the converter; this one by default.

    Raises:
        ExportError: it failed, with the path of its log, or took too long.
    """
    # onnx2tf calls onnxsim by name: the environment this Python belongs to must come first.
    python = python or sys.executable
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")])
    # PYTHONPATH and PYTHONHOME would lead another Python to the packages of this one.
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    environment = kept | {"PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    try:
        done = subprocess.run(
            ending_with_parent([python, *command]),
            cwd=folder, env=environment, timeout=timeout_s, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ExportError(f"{name} took more than {timeout_s:.0f} s; give it more time or a smaller network") from error
    if done.returncode:
        log = _keep(name, done.stdout)
        raise ExportError(f"{name} failed (status {done.returncode}): {last_line(done.stdout)}; full log: {log}")


def last_line(log: str) -> str:
    """Return the last line of a converter's log with an error, else with any text, without colours."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    lines = [line.strip() for line in plain.splitlines() if any(char.isalpha() for char in line)]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no output"])[-1][:200]


def _keep(name: str, log: str) -> Path:
    handle, path = tempfile.mkstemp(prefix=f"distill-{name}-", suffix=".log")
    os.close(handle)
    Path(path).write_text(log)
    return Path(path)
