"""A mirror of `metrics.csv` in another tracker, written by a thread of its own without delaying the training.

A tracker that fails ends its mirror with one line; `metrics.csv` has every number in any case.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from distill.errors import first_line
from distill.training.loggers.metrics_csv import Row

# Seconds without any progress after which the end of a training leaves a tracker.
PATIENCE_S = 15.0
# Records that wait for a tracker that does not answer; with more, mirroring to it ends.
_MOST_WAITING = 100_000


class Sink(Protocol):
    """A tracker of another project, as a mirror uses it; every method may raise."""

    name: str

    def open(self) -> None:
        """Open the run of a training, or the one it had before it was resumed."""

    def recorded(self) -> set[tuple[int, str]]:
        """Return (step, name) of every number that the opened run already has."""

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Record the numbers of a step."""

    def close(self, success: bool) -> None:
        """End the run; all numbers are recorded when it returns."""


class Mirror(Logger):
    """Sends the numbers of a run to a tracker, each once, also over resumptions.

    Args:
        sink: the tracker.
        patience_s: seconds without progress after which the end of a training leaves it.
    """

    def __init__(self, sink: Sink, patience_s: float = PATIENCE_S):
        super().__init__()
        self.sink, self.patience_s, self.lost = sink, patience_s, False
        self._recorded: set[tuple[int, str]] = set()
        self._actions: queue.Queue[Callable[[], None] | None] = queue.Queue(_MOST_WAITING)
        self._done = 0
        self._thread = threading.Thread(target=self._work, daemon=True, name=f"mirror-{sink.name}")
        self._put(self._open)
        self._thread.start()

    @property
    def name(self) -> str:
        return self.sink.name

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration was given when the run was opened."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        numbers = {name: float(value) for name, value in metrics.items()}
        self._put(lambda: self._write(numbers, step or 0))

    def replay(self, rows: Sequence[Row]) -> None:
        """Record what the tracker lacks of the steps before a resumption: a kill takes its last records along."""
        for step, group in groupby(rows, key=lambda row: row[0]):
            self.log_metrics({name: value for _, name, value in group}, step)

    def finalize(self, status: str) -> None:
        """End the run, waiting only as long as records are written."""
        self._put(lambda: self.sink.close(status == "success"))
        self._put(None)
        done, since = self._done, time.monotonic()
        while self._thread.is_alive() and not self.lost:
            self._thread.join(0.05)
            if self._done != done:
                done, since = self._done, time.monotonic()
            if time.monotonic() > since + self.patience_s:
                self._lose(f"no answer in {self.patience_s:.0f} s")

    def _open(self) -> None:
        self.sink.open()
        self._recorded = self.sink.recorded()

    def _write(self, numbers: Mapping[str, float], step: int) -> None:
        new = {name: value for name, value in numbers.items() if (step, name) not in self._recorded}
        if new:
            self.sink.write(new, step)

    def _put(self, action: Callable[[], None] | None) -> None:
        if self.lost:
            return
        try:
            self._actions.put_nowait(action)
        except queue.Full:
            self._lose("it does not answer")

    def _work(self) -> None:
        while (action := self._actions.get()) is not None and not self.lost:
            try:
                action()
            except Exception as error:  # noqa: BLE001  the training goes on, whatever the tracker does
                self._lose(first_line(error))
            self._done += 1

    def _lose(self, reason: str) -> None:
        if not self.lost:
            self.lost = True
            print(f"{self.sink.name} failed ({reason}): the training goes on; metrics.csv has every number", flush=True)
