"""A sweep in a process of its own, whose trainings are forked from it: they start without the time for imports."""

import os
import signal
import subprocess
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from distill.sweep import run, worker
from distill.system.processes import end_with_parent
from tests.support.command_processes import run_command


class Forked:
    """A training forked from this process, in place of `subprocess.Popen`."""

    def __init__(self, command: list[str], stdout: Any, **options: Any):
        words = command[command.index("distill") + 1 :]
        log = Path(stdout.name)
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            end_with_parent(signal.SIGTERM)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            status = 1
            try:
                run_command(words, log)
            except SystemExit as end:
                status = int(end.code or 0)
            except BaseException:  # noqa: BLE001  the process ends here, whatever it was
                traceback.print_exc()
            finally:
                os._exit(status)

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        return self._wait(0)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def _wait(self, flags: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, flags)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def sweep(argv: list[str], log: str) -> None:
    """Run `distill sweep` with forked trainings, its output in a file."""
    worker.subprocess = SimpleNamespace(Popen=Forked, DEVNULL=subprocess.DEVNULL)  # type: ignore[assignment]
    run.POLL_S, run._READING_SHARE = 0.05, 1
    run_command(["sweep", *argv], Path(log))
