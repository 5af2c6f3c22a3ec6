"""Run a function in a forked copy of this process, with a time limit and a measure of the memory it took.

A fork keeps the libraries that are loaded, so that thousands of files can be tried in minutes, and a crash ends the
copy alone.
"""

import math
import os
import re
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from distill.errors import DistillError

_LONGEST_LINE = 500
# Time on the clock for each second of processor time: the machine may run other programs.
_WAITS = 10


@dataclass(frozen=True)
class Outcome:
    """What became of one call.

    Attributes:
        kind: `ran`, `refused` (one line of a `DistillError`), `raised` (any other exception, or a longer text),
            `crash` (the process was ended by a signal) or `hang` (it was still running at the limit).
        text: of the error, or what the function returned.
        seconds: of processor time, which other programs on the machine do not change.
        peak_mb: resident memory of the process at its peak; 0 after a crash or a hang.
        start_mb: resident memory before the call; 0 after a crash or a hang.
    """

    kind: str
    text: str
    seconds: float
    peak_mb: float
    start_mb: float = 0.0


def run_forked(function: Callable[[], object], limit_s: float) -> Outcome:
    """Call a function in a forked process and return what became of it.

    Args:
        function: its result is returned as text.
        limit_s: processor time it may take; a process that waits has `_WAITS` times as long.
    """
    reader, writer = os.pipe()
    deadline = time.monotonic() + _WAITS * limit_s
    child = os.fork()
    if child == 0:
        os.close(reader)
        most = math.ceil(limit_s)
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))  # SIGXCPU first, SIGKILL a second later
        _answer(function, writer)
    os.close(writer)
    answer = _read(reader, deadline)
    os.close(reader)
    if answer is None:
        os.kill(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    seconds = used.ru_utime + used.ru_stime
    # The kernel's count of the limit and that of `wait4` differ by some milliseconds, so the signal decides.
    out_of_time = os.WIFSIGNALED(status) and (os.WTERMSIG(status) == signal.SIGXCPU or seconds >= limit_s)
    if answer is None or out_of_time:
        return Outcome("hang", "", seconds, 0.0)
    kind, start, peak, text = (answer.split("\n", 3) + [""] * 3)[:4]
    if os.WIFSIGNALED(status) or not kind:
        return Outcome("crash", f"signal {os.WTERMSIG(status)}", seconds, 0.0)
    return Outcome(kind, text, seconds, float(peak), float(start))


def _answer(function: Callable[[], object], writer: int) -> None:
    """Write kind, peak memory and text to the pipe, and end the process without any cleaning up."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak of the parent's memory is not this call's
        start = _peak_mb()
        kind, text = outcome_of(function)
        os.write(writer, f"{kind}\n{start}\n{_peak_mb()}\n{text[:2000]}".encode("utf-8", "replace"))
    finally:
        os._exit(0)


def _peak_mb() -> float:
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(peak[1]) / 1024 if peak else 0.0


def outcome_of(function: Callable[[], object]) -> tuple[str, str]:
    """Call a function here and return kind and text of its `Outcome`."""
    try:
        return "ran", str(function())
    except DistillError as error:
        one_line = "\n" not in str(error) and len(str(error)) <= _LONGEST_LINE
        return ("refused" if one_line else "raised"), str(error)
    except BaseException as error:  # noqa: BLE001  counted: what is no DistillError is a fault
        return "raised", repr(error)


def _read(pipe: int, deadline: float) -> str | None:
    """Return everything that is written to a pipe until it is closed; None where that is not before the deadline."""
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        if select.select([pipe], [], [], left)[0]:
            part = os.read(pipe, 65_536)
            if not part:
                return b"".join(parts).decode("utf-8", "replace")
            parts.append(part)
    return None
