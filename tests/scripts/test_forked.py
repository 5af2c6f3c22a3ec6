"""A call in a forked process is judged by what became of it, whatever it did."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distill.errors import CheckpointError
from scripts.fuzz.forked import run_forked

ROOT = Path(__file__).parents[2]


def _refuse() -> None:
    raise CheckpointError("a.ckpt: damaged")


def _raise() -> None:
    raise ValueError("bug")


def _two_lines() -> None:
    raise CheckpointError("one\ntwo")


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _spin() -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda: 7, "ran"),
        (_refuse, "refused"),
        (_raise, "raised"),
        (_two_lines, "raised"),
        (_crash, "crash"),
        (_spin, "hang"),
    ],
)
def test_each_end_has_its_kind(function: object, kind: str) -> None:
    assert run_forked(function, 1).kind == kind  # type: ignore[arg-type]


def test_the_peak_is_that_of_the_call() -> None:
    # The system may take pages of the forked process away meanwhile, tens of megabytes: the call takes 537 MB.
    # In a process of its own: a fork of one that has trained would do with memory that is free there already.
    code = (
        "import numpy as np; from scripts.fuzz.forked import run_forked; "
        "outcome = run_forked(lambda: np.ones(1 << 26).sum(), 20); print(outcome.start_mb, outcome.peak_mb)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    start, peak = map(float, done.stdout.split())
    assert 440 < peak - start < 640
