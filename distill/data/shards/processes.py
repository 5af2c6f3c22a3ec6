"""Map a function over many tasks in several processes, in order, with a few tasks read ahead."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

import cv2

from distill.system.processes import end_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_in_processes(function: Callable[[Task], Result], tasks: Iterator[Task], workers: int) -> Iterator[Result]:
    """Yield the results of the tasks in order; one worker is this process.

    Unlike `Executor.map`, it does not read all tasks before the first result.
    """
    if workers == 1:
        yield from map(function, tasks)
        return
    # Spawned, not forked: the caller may hold threads.
    with ProcessPoolExecutor(workers, get_context("spawn"), _start) as pool:
        yield from map_in_order(pool, function, tasks, workers + 1)


def map_in_order(
    pool: Executor, function: Callable[[Task], Result], tasks: Iterator[Task], ahead: int
) -> Iterator[Result]:
    """Yield the results of the tasks in order; a pool has at most `ahead` tasks at a time, and none at the end."""
    pending = [pool.submit(function, task) for task in islice(tasks, ahead)]
    try:
        while pending:
            yield pending.pop(0).result()
            pending += [pool.submit(function, task) for task in islice(tasks, 1)]
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    end_with_parent()
    cv2.setNumThreads(1)
