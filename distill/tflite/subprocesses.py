"""Run converters as child processes: their environment, and the last error of their logs."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from distill.errors import ExportError
from distill.system.processes import ending_with_parent
from distill.tflite.runtimes import read_line

# Arguments of Python that run onnx2tf as `-m onnx2tf` does. It makes objects by the million and keeps most of them:
# looking for unreachable ones after every few hundred takes a tenth of its time.
ONNX2TF = ("-c", "import gc; gc.set_threshold(100_000, 50, 100); from onnx2tf.onnx2tf import main; main()")
_GRACE_S = 5


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
    python = python or sys.executable
    try:
        done = subprocess.run(
            ending_with_parent([python, *command]),
            cwd=folder, env=_environment(python), timeout=timeout_s, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _too_long(name, timeout_s) from error
    if done.returncode:
        raise _failed(name, done.returncode, done.stdout)


# Runs a job of a converter server; the name is for messages, as that of `run_converter`.
RunJob = Callable[[str, dict[str, Any]], None]


@contextmanager
def converter_server(command: Sequence[str], folder: Path, timeout_s: float, python: str) -> Iterator[RunJob]:
    """Start a converter that takes one job after the other and imports its packages once; yield a call that runs a job.

    Jobs go to the standard input of the program, each a line of JSON; it answers with a line when a job is done.

    Args:
        command, folder, python: as for `run_converter`.
        timeout_s: for each job.

    Raises:
        ExportError: of a job, as `run_converter` does.
    """
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            ending_with_parent([python, *command]), cwd=folder, env=_environment(python),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
        try:
            yield lambda name, job: _run_job(name, child, job, log, timeout_s)
        finally:
            child.kill()
            child.communicate()


def _run_job(
    name: str, child: "subprocess.Popen[bytes]", job: dict[str, Any], log: IO[bytes], timeout_s: float
) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
        read_line(child, timeout_s)
    except (OSError, ValueError) as error:
        try:
            status = child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            raise _too_long(name, timeout_s) from error
        log.seek(0)
        raise _failed(name, status, log.read().decode(errors="replace")) from error


def _environment(python: str) -> dict[str, str]:
    """Return the variables of a converter that an interpreter runs."""
    # onnx2tf calls onnxsim by name: the environment this Python belongs to must come first.
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")])
    # PYTHONPATH and PYTHONHOME would lead another Python to the packages of this one.
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    return kept | {"PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def _too_long(name: str, timeout_s: float) -> ExportError:
    return ExportError(f"{name} took more than {timeout_s:.0f} s; give it more time or a smaller network")


def _failed(name: str, status: int, log: str) -> ExportError:
    return ExportError(f"{name} failed (status {status}): {last_line(log)}; full log: {_keep(name, log)}")


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
