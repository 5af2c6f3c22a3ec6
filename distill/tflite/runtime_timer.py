"""Latency of models in a runtime of another process, which may be another Python's."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from distill.errors import CheckpointError
from distill.system.processes import ending_with_parent
from distill.tflite.runtimes import START_S, WORKER, Runtime, child_environment, read_line

_CALL_S = 120


class RuntimeTimer:
    """A child process that loads models in a runtime and times their calls itself, without the way to it.

    A context manager.
    """

    def __init__(self, runtime: Runtime) -> None:
        """Start the process.

        Raises:
            CheckpointError: the runtime does not start.
        """
        self.runtime = runtime
        self._child = subprocess.Popen(
            ending_with_parent([runtime.python, str(WORKER), "--time", runtime.module]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=child_environment(), start_new_session=True,
        )  # fmt: skip
        try:
            ready = read_line(self._child, START_S)
        except ValueError as error:
            self.close()
            raise CheckpointError(f"{runtime}: it does not start ({error})") from error
        if ready != b"ready":
            self.close()
            raise CheckpointError(f"{runtime}: it does not start ({ready.decode(errors='replace')[:200]})")

    def __enter__(self) -> "RuntimeTimer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, model: Path, threads: int) -> int:
        """Load a model, run it once, and return its number.

        Raises:
            CheckpointError: the runtime refuses the file or crashes.
        """
        reply = self._ask({"model": str(model.resolve()), "threads": threads})
        if "error" in reply:
            raise CheckpointError(f"{model.name}: {self.runtime} cannot run it ({reply['error'][:200]})")
        return int(reply["call"])

    def milliseconds(self, number: int) -> float:
        """Run a loaded model once and return its time.

        Raises:
            CheckpointError: it failed.
        """
        reply = self._ask({"call": number})
        if "error" in reply:
            raise CheckpointError(f"{self.runtime}: a call failed ({reply['error'][:200]})")
        return float(reply["ms"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
            reply: dict[str, Any] = json.loads(read_line(self._child, _CALL_S))
        except (OSError, ValueError) as error:
            what = Path(request["model"]).name if "model" in request else "a model"
            raise CheckpointError(f"{self.runtime}: its process ended while it ran {what} ({error})") from error
        return reply

    def close(self) -> None:
        """End the process."""
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
