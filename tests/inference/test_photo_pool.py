"""Photos are predicted in several threads, in order, each thread with a landmarker of its own."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from distill.inference.photo_pool import map_in_threads


def test_results_keep_the_order_of_the_items() -> None:
    """The first takes longest, so that the order of completion differs."""

    def make() -> Callable[[int], int]:
        return lambda item: time.sleep(0.05 if item == 0 else 0) or item  # type: ignore[func-returns-value]

    assert list(map_in_threads(make, range(20), 3)) == list(range(20))


def test_each_thread_makes_its_own() -> None:
    """An interpreter must not be called by two threads at once."""
    made: list[int] = []
    wrong: list[int] = []
    both = threading.Barrier(2, timeout=20)

    def make() -> Callable[[int], int]:
        owner = threading.get_ident()
        made.append(owner)

        def call(item: int) -> int:
            if item < 2:
                both.wait()  # two threads are at work at once
            if threading.get_ident() != owner:
                wrong.append(item)
            return item

        return call

    assert list(map_in_threads(make, range(10), 2)) == list(range(10))
    assert len(set(made)) == 2
    assert not wrong


def test_an_error_comes_in_its_place_and_few_items_are_read_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    def fail_on_two(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    results = map_in_threads(lambda: fail_on_two, items(), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
    assert len(taken) < 10
