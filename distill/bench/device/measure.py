"""Calls of `benchmark_model` on a device: times until they are steady, the profile and the energy of one row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from distill.bench.device.connection import Connection
from distill.bench.device.delegates import DelegateOption
from distill.bench.device.energy import Energy, energy_between, read_energy
from distill.bench.device.output import OperatorTime, Output, parse_output, reason_of
from distill.bench.key import Key
from distill.bench.latency import STABLE

PROGRAM = "benchmark_model"
# Processes of one row: at least as many as are compared, and an end for devices that never become steady.
COMPARED = 3
MOST = 10
_RUN_SECONDS = 60
_ENERGY_SECONDS = 10
# Warm-up and timed runs may each take the limit, and a GPU compiles its kernels before.
_LIMIT_S = 2 * _RUN_SECONDS + 240


@dataclass
class Row:
    """A row that is being measured.

    Attributes:
        graph: path of the model on the device.
        outputs: of the processes so far.
        refused: why it cannot be measured.
    """

    key: Key
    delegate: DelegateOption
    graph: str
    outputs: list[Output] = field(default_factory=list)
    refused: str | None = None

    @property
    def medians(self) -> "list[float]":
        return [output.runs.median_ms for output in self.outputs]

    @property
    def median_ms(self) -> float:
        """Median of the last processes."""
        return float(np.median(self.medians[-COMPARED:]))

    @property
    def spread(self) -> float:
        """Range of the last processes over their median."""
        last = self.medians[-COMPARED:]
        return (max(last) - min(last)) / self.median_ms

    @property
    def done(self) -> bool:
        count = len(self.outputs)
        return self.refused is not None or count >= MOST or (count >= COMPARED and self.spread <= STABLE)


class Meter:
    """Runs `benchmark_model` in a folder of a device."""

    def __init__(self, device: Connection, folder: str, rounds: int, warmup: int) -> None:
        """Set the device and the numbers of runs that are timed, and before them, in one process."""
        self.device, self.folder = device, folder
        self._flags = (f"--num_runs={rounds}", f"--warmup_runs={max(1, warmup)}", f"--max_secs={_RUN_SECONDS}")

    def times(self, row: Row) -> None:
        """Start one process for a row, and keep what it measured or why it refused the file."""
        text, output = self._call(row)
        if output is None:
            row.refused = text
            return
        row.refused = _not_delegated(row, output)
        row.outputs.append(output)

    def operators(self, row: Row) -> tuple[OperatorTime, ...]:
        """Return the time per type of operator, from a process of its own, because profiling takes time itself."""
        output = self._call(row, "--enable_op_profiling=true")[1]
        return output.operators if output else ()

    def energy(self, row: Row) -> Energy | None:
        """Return the energy of one inference, over a longer process of its own."""
        before = read_energy(self.device)
        if before is None:
            return None
        output = self._call(row, f"--min_secs={_ENERGY_SECONDS}")[1]
        return energy_between(
            before, read_energy(self.device), output.warmup.count + output.runs.count if output else 0
        )

    def _call(self, row: Row, *more: str) -> tuple[str, Output | None]:
        """Return the reason of a failure, or the output."""
        flags = (f"--graph={row.graph}", f"--num_threads={row.key.threads}", *self._flags, *row.delegate.flags, *more)
        answer = self.device.run([f"{self.folder}/{PROGRAM}", *flags], _LIMIT_S)
        output = parse_output(answer.text) if answer.status == 0 else None
        return (reason_of(answer.text, answer.status), None) if output is None else ("", output)


def _not_delegated(row: Row, output: Output) -> str | None:
    """Return why a time is none of the delegate: the runtime falls back to the CPU and only prints a line."""
    if row.delegate.name == "cpu" or output.delegated not in (None, "nothing"):
        return None
    if output.delegated == "nothing":
        return "the delegate executes no operator of this file"
    return "benchmark_model did not apply this delegate: it was built without it, or the device has none"


def measure_until_steady(meter: Meter, rows: Mapping[Key, Row], tick: Callable[[int, int], None]) -> None:
    """Start processes in turns, one for each row that is not steady yet.

    Args:
        meter: what runs them.
        rows: changed in place.
        tick: called after each process with the number of rows that are done, and of all.
    """
    while waiting := [row for row in rows.values() if not row.done]:
        for row in waiting:
            meter.times(row)
            tick(sum(row.done for row in rows.values()), len(rows))
