"""Data loader of trainings whose workers report errors of the data in one line, and end with it."""

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

from torch.utils.data import DataLoader, Dataset, default_collate

from distill.errors import DistillError, TrainingError, first_line

# How torch begins what it reports of a worker that the system ended, by a signal or for want of memory.
_DEAD_WORKER = "DataLoader worker (pid"


class _Reported(Dataset[Any]):
    """Data set that returns user errors instead of raising them: torch raises copies with a traceback in their text."""

    def __init__(self, data: Dataset[Any]) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)  # type: ignore[arg-type]

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.data[key]
        except DistillError as error:
            return error


class _Collated:
    """Collation of a batch, which is the first error of its items where there is one."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, items: list[Any]) -> Any:
        return next((item for item in items if isinstance(item, DistillError)), None) or self.collate(items)


class ReportingLoader(DataLoader[Any]):
    """Data loader that raises user errors of its workers as they are.

    Args:
        data: data set.
        collate_fn: makes a batch of items.
        options: of `DataLoader`.
    """

    def __init__(
        self, data: Dataset[Any], collate_fn: Callable[[list[Any]], Any] = default_collate, **options: Any
    ) -> None:
        super().__init__(_Reported(data), collate_fn=_Collated(collate_fn), **options)
        self._passes: WeakSet[Any] = WeakSet()

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches = super().__iter__()
        self._passes.add(batches)
        return _raising(batches)

    def close(self) -> None:
        """End the workers.

        Otherwise they end when the last reference to an iterator goes. Where an error keeps one until the program ends,
        the program would wait for them forever: `init_worker` has them ignore a first SIGTERM.
        """
        for batches in self._passes:
            if hasattr(batches, "_shutdown_workers"):
                batches._shutdown_workers()
        self._iterator = None


def _raising(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield batches up to one that is an error.

    Raises:
        DistillError: of the data.
        TrainingError: a worker was ended from outside.
    """
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            if not str(error).startswith(_DEAD_WORKER):
                raise
            raise TrainingError(
                f"{first_line(error)} (one of --data.workers); is there enough memory, and did the files stay as they "
                "were? --data.workers 0 prepares faces in the training process"
            ) from error
        if isinstance(batch, DistillError):
            raise batch
        yield batch
