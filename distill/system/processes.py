"""Child processes that do not outlive their parent, and that save their work when it receives a signal."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

_PR_SET_PDEATHSIG = 1
# The setting survives exec. A parent that ended before it was made is noticed by its number.
_START = """
import ctypes, os, sys
parent, number, *command = sys.argv[1:]
ctypes.CDLL(None).prctl(1, int(number))
if os.getppid() != int(parent):
    sys.exit(1)
try:
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"{command[0]}: {error.strerror}")
"""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the system send this process a signal when its parent ends, in whatever way; without effect but on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def ending_with_parent(command: Sequence[str], number: int = signal.SIGKILL) -> list[str]:
    """Return a command line that runs `command` and ends it by a signal when the calling process ends.

    A program that cannot be started gives exit status 1. Without effect but on Linux. The thread that starts the
    process must live as long as it.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-ISc", _START, str(os.getpid()), str(int(number)), *command]


def run_stoppable(command: Sequence[str]) -> int:
    """Run a command that saves its work when it receives a signal; return its exit status.

    SIGINT and SIGTERM to this process are passed on, and the child is waited for. It gets SIGTERM when this process is
    killed.

    Raises:
        SystemExit: the signal came, with the status of the child.
    """
    received: list[int] = []
    # Of a session of its own, so that a terminal does not send the signal a second time.
    child = subprocess.Popen(ending_with_parent(command, signal.SIGTERM), start_new_session=True)

    def pass_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if received:
        raise SystemExit(status or 128 + received[0])
    return status
