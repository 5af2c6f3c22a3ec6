"""Predict the photos of a list in several threads; results come in the order of the list.

Interpreters release the lock of Python while they compute, but one of them serves one thread at a time: every thread
has a landmarker of its own.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Photos in work or ready, for each thread: enough that a slow one does not stop the others, few enough for the memory.
_AHEAD = 2


def map_in_threads(
    make: Callable[[], Callable[[Item], Result]], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """Yield the result of each item, in order.

    Args:
        make: called once in each thread; what it returns is called with the items.
        items: read as they are needed, a few ahead.
        threads: at least 1.

    Raises:
        Exception: what a call raised, when its result would come.
    """
    local = threading.local()

    def run(item: Item) -> Result:
        if not hasattr(local, "call"):
            local.call = make()
        result: Result = local.call(item)
        return result

    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(run, item))
                if len(waiting) >= _AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
