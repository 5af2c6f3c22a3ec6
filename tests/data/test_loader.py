"""Errors of the data are raised as they are, and no worker outlives its loader, also while errors hold references."""

import multiprocessing
import os
import signal
import time
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from distill.data.dataset import init_worker
from distill.data.loader import ReportingLoader
from distill.errors import AnnotationError, TrainingError
from tests.support.errors import assert_one_line


class _Numbers(Dataset[torch.Tensor]):
    """Ten numbers, of which one fails."""

    def __init__(self, bad: int, error: Exception | None = None) -> None:
        self.bad, self.error = bad, error

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == self.bad:
            if self.error is None:
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                raise self.error
        return torch.tensor(index)


def _loader(bad: int, error: Exception | None = None, workers: int = 2, **options: Any) -> ReportingLoader:
    init = init_worker if workers else None
    return ReportingLoader(_Numbers(bad, error), batch_size=2, num_workers=workers, worker_init_fn=init, **options)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_data_comes_after_the_batches_before_it_without_a_traceback_in_its_text(workers: int) -> None:
    loader = _loader(5, AnnotationError("photo 5: damaged"), workers)
    batches = iter(loader)
    assert [next(batches).tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(AnnotationError) as error:
        next(batches)
    assert str(error.value) == "photo 5: damaged"
    loader.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_defect_keeps_its_type_and_traceback(workers: int) -> None:
    loader = _loader(5, ZeroDivisionError("a defect"), workers)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        list(loader)
    loader.close()


def test_a_worker_that_the_system_ended_is_one_line() -> None:
    loader = _loader(5)
    with pytest.raises(TrainingError, match=r"killed by signal|exited unexpectedly") as error:
        list(loader)
    assert_one_line(error, "--data.workers")
    loader.close()


@pytest.mark.parametrize("persistent", [False, True])
def test_a_closed_loader_has_no_worker_though_its_iterator_is_held(persistent: bool) -> None:
    loader = _loader(-1, persistent_workers=persistent)
    before = set(multiprocessing.active_children())
    batches = iter(loader)
    next(batches)
    assert len(set(multiprocessing.active_children()) - before) == 2
    start = time.monotonic()
    loader.close()
    assert set(multiprocessing.active_children()) <= before
    assert time.monotonic() - start < 4, "they end at once, not after a wait in vain"
    del batches


def test_persistent_workers_are_made_again_after_a_close() -> None:
    loader = _loader(-1, persistent_workers=True)
    for _ in range(2):
        assert torch.cat(list(loader)).tolist() == list(range(10))
        loader.close()
