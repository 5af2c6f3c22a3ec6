"""What processes of the signal and resume tests run; it must be importable there."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from distill.cli.main import main


def train(argv: list[str]) -> None:
    """Run a command line as `distill` would in a process of its own."""
    # Workers of a data loader end with the process that forked them; forked by a server, they would outlive a kill.
    multiprocessing.set_start_method("fork", force=True)
    sys.exit(main(argv))


@dataclass(frozen=True)
class Signal:
    """A signal that a process sends itself.

    Attributes:
        target: function in which it is sent, MODULE:NAME or MODULE:CLASS.NAME.
        call: in which call of it, from 1.
        number: of the signal; None sends none.
        group: to all processes of the job.
        hang_s: seconds that the function hangs afterwards.
    """

    target: str
    call: int
    number: signal.Signals | None
    group: bool = False
    hang_s: float = 0


def train_with_signals(argv: list[str], output: str, signals: Sequence[Signal]) -> None:
    """Train as `train` does, as a job of its own whose output goes to a file, and send signals on the way."""
    os.setsid()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)
    for item in signals:
        _send_in(item, Path(output))
    train(argv)


def _send_in(item: Signal, output: Path) -> None:
    module, _, path = item.target.partition(":")
    owner: Any = import_module(module)
    *owners, name = path.split(".")
    for part in owners:
        owner = getattr(owner, part)
    original, calls = getattr(owner, name), iter(range(1, 10**6))

    def sending(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == item.call:
            with output.open("a") as file:
                file.write(f"sent {item.number.name if item.number else 'nothing'}\n")
            if item.number is not None:
                os.killpg(0, item.number) if item.group else os.kill(os.getpid(), item.number)
            time.sleep(item.hang_s)
        return original(*args, **kwargs)

    setattr(owner, name, sending)
