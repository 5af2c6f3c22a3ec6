"""Sequences of objects that are not in memory: those beyond the first in a temporary file, and some of a sequence."""

import pickle
import tempfile
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import BinaryIO, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")

# A face of 68 points takes about 3 kB in memory and 1.5 kB in the file.
_IN_MEMORY = 20_000


class _Indexed(Sequence[Item], ABC):
    """Sequence whose items are made one at a time, by `_at`."""

    @abstractmethod
    def _at(self, index: int) -> Item:
        """Return an item by its position from the beginning."""

    @overload
    def __getitem__(self, item: int) -> Item: ...
    @overload
    def __getitem__(self, item: slice) -> Sequence[Item]: ...
    def __getitem__(self, item: int | slice) -> Item | Sequence[Item]:
        if isinstance(item, slice):
            return [self._at(index) for index in range(*item.indices(len(self)))]
        return self._at(range(len(self))[item])


class Spilled(_Indexed[Item], Generic[Item]):
    """Sequence that grows at its end and is read in any order, such as a million faces in bounded memory.

    Objects beyond the first are pickled into a file in the folder for temporary files (`TMPDIR`), which has no name
    and goes with the process, and are made again at every access.

    Args:
        items: the first objects.
        in_memory: how many objects are kept in memory.
    """

    def __init__(self, items: Iterable[Item] = (), in_memory: int = _IN_MEMORY) -> None:
        self._kept: list[Item] = []
        self._in_memory = in_memory
        self._starts = array("q", [0])
        for item in items:
            self.append(item)

    @cached_property
    def _file(self) -> BinaryIO:
        return tempfile.TemporaryFile()

    def append(self, item: Item) -> None:
        """Add an object at the end."""
        if len(self._kept) < self._in_memory:
            self._kept.append(item)
            return
        content = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
        self._file.seek(self._starts[-1])
        self._file.write(content)
        self._starts.append(self._starts[-1] + len(content))

    def __len__(self) -> int:
        return len(self._kept) + len(self._starts) - 1

    def _at(self, index: int) -> Item:
        if index < len(self._kept):
            return self._kept[index]
        start, end = self._starts[index - len(self._kept)], self._starts[index - len(self._kept) + 1]
        self._file.seek(start)
        read: Item = pickle.loads(self._file.read(end - start))
        return read


class Selected(_Indexed[Item], Generic[Item]):
    """Some items of a sequence, by their ascending positions, looked up when they are needed."""

    def __init__(self, items: Sequence[Item], positions: NDArray[np.int64]) -> None:
        self._items, self.positions = items, positions

    def __len__(self) -> int:
        return len(self.positions)

    def _at(self, index: int) -> Item:
        return self._items[int(self.positions[index])]
