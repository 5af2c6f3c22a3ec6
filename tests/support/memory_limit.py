"""Run a function in a forked process that may take little more memory than it has."""

import resource
from collections.abc import Callable
from pathlib import Path

from scripts.fuzz.forked import Outcome, run_forked

_PAGE = resource.getpagesize()


def run_with_memory(function: Callable[[], object], megabytes: int, limit_s: float = 20) -> Outcome:
    """Call a function in a fork whose address space may grow by so many megabytes."""

    def limited() -> object:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE
        most = size + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        return function()

    return run_forked(limited, limit_s)
