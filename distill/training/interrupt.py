"""SIGINT and SIGTERM during a training: it ends at a step that can be resumed, with the exit status of the signal."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Signals within so many seconds are one request: a scheduler signals a whole job, and a parent passes its own on.
ONE_REQUEST_S = 0.5


class TrainingInterrupted(SystemExit):
    """End of a training that received a signal; the exit status is 128 + number of the signal, 130 or 143.

    Attributes:
        signal: name of the signal.
    """

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.signal = signal.Signals(number).name


class StopRequest:
    """Handler of both signals: raises at once, or, between `defer` and the end, records the request.

    A second request ends the process immediately. Copies of the handler in forked workers ignore the signals, which a
    terminal sends to all processes of a job: the training process ends its workers.

    Attributes:
        number: of the signal that was received; 0 before.
    """

    def __init__(self) -> None:
        self.number, self._deferred, self._process = 0, False, os.getpid()
        self._requested_at = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return
        if self.number:
            if time.monotonic() < self._requested_at + ONE_REQUEST_S:
                return
            if sys.stdout.isatty():
                os.write(sys.stdout.fileno(), b"\033[?25h\n")  # the progress bar hides the cursor
            os._exit(128 + number)
        self.number, self._requested_at = number, time.monotonic()
        if not self._deferred:
            raise TrainingInterrupted(number)

    def install(self) -> None:
        """Handle the signals from now on; only the main thread can."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self)

    def defer(self) -> None:
        """Record requests from now on: the training reads `number` where it can save."""
        self._deferred = True
        self.install()  # again: Lightning has put its own handler of SIGTERM in front

    def raise_if_requested(self) -> None:
        """End the training if a signal came.

        Raises:
            TrainingInterrupted: it did.
        """
        if self.number:
            raise TrainingInterrupted(self.number)


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Handle SIGINT and SIGTERM inside the context; the handlers before are restored afterwards."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    request = StopRequest()
    request.install()
    try:
        yield request
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
