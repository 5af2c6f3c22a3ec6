"""Sampler of batches as a pure function of (seed, step), so that a resumed run continues with its next batch."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from distill.errors import ConfigError

Key = tuple[int, int]


class StepSampler(Sampler[list[Key]]):
    """Yields the batches of a whole training, step by step, as keys (epoch, index) of a `FaceDataset`.

    All epochs are one stream, so worker processes live as long as the training. The last incomplete batch of an
    epoch is dropped; its faces come up in other epochs.

    Args:
        n_faces: size of the data set.
        batch_size: faces per process and step.
        epochs: passes over the data set.
        seed: of the order.
        start: steps already done; iteration begins behind them, the length does not change.
        rank, world: this process and the number of processes; together they get every face of an epoch once.
        order: of (seed, epoch): the faces of an epoch in order; by default all faces are shuffled.

    Raises:
        ConfigError: fewer faces than one step needs.
    """

    def __init__(
        self, n_faces: int, batch_size: int, epochs: int, seed: int, start: int = 0, rank: int = 0, world: int = 1,
        order: Callable[[int, int], NDArray[np.int64]] | None = None,
    ):  # fmt: skip
        self.per_epoch = n_faces // (batch_size * world)
        if self.per_epoch == 0:
            need = f"{batch_size} x {world} process(es)" if world > 1 else str(batch_size)
            raise ConfigError(f"{n_faces} training faces are fewer than a batch of {need}: lower --data.batch_size")
        self.n_faces, self.batch_size, self.epochs, self.seed = n_faces, batch_size, epochs, seed
        self.start, self.rank, self.world = start, rank, world
        self._given = order

    def __len__(self) -> int:
        return self.epochs * self.per_epoch

    def __iter__(self) -> Iterator[list[Key]]:
        order = lru_cache(maxsize=1)(self._order)
        for step in range(self.start, len(self)):
            epoch, batch = divmod(step, self.per_epoch)
            first = (batch * self.world + self.rank) * self.batch_size
            yield [(epoch, int(index)) for index in order(epoch)[first : first + self.batch_size]]

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if self._given is not None:
            return self._given(self.seed, epoch)
        return np.random.default_rng([self.seed, epoch]).permutation(self.n_faces)
