"""Pairs of perceptual hashes that differ in few bits, exact, on all cores and in bounded memory.

Every pair is compared: at 60 of 256 bits no index of parts of the hash saves work without losing pairs. Of 16 parts of
16 bits one must differ in at most 3 bits (pigeonhole principle), as it does in 17 % of all pairs of random hashes.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.shards.processes import map_in_order
from distill.system.processes import cores

_ROWS = 1024
_COLUMNS = 4096


class Hashes(NamedTuple):
    """Packed hashes (n, bits / 8), and (n, kinds) numbers: no pair is made of two with one of them in common."""

    bits: NDArray[np.uint8]
    kinds: NDArray[np.integer]

    def part(self, start: int, stop: int) -> "Hashes":
        """Return some neighbours of the hashes."""
        return Hashes(self.bits[start:stop], self.kinds[start:stop])

    def signs(self) -> NDArray[np.float32]:
        """Return the bits as (n, bits) of -1 and 1."""
        return np.unpackbits(self.bits, axis=1).astype(np.float32) * 2 - 1


def close_pairs(first: Hashes, second: Hashes | None, limit: int) -> Iterator[tuple[int, int, int]]:
    """Yield (i, j, differing bits) of the hashes that differ in at most `limit` bits, sorted by i, then j.

    A product of +-1 vectors counts equal minus differing bits, in less CPU time than counting bits takes.

    Args:
        first: the hashes i.
        second: the hashes j; None compares `first` with itself, i < j.
        limit: bits.
    """
    starts = iter(range(0, len(first.bits), _ROWS))
    # The product lets other threads run, and so does finding the few pairs in it.
    with ThreadPoolExecutor(cores()) as pool:
        for pairs in map_in_order(pool, partial(_pairs_of_rows, first, second, limit), starts, cores() + 1):
            yield from pairs.tolist()


def _pairs_of_rows(first: Hashes, second: Hashes | None, limit: int, start: int) -> NDArray[np.int64]:
    """Return (pairs, 3) of some hashes of `first`, sorted."""
    rows = first.part(start, start + _ROWS)
    signs = rows.signs()
    others = first if second is None else second
    found = [np.zeros((0, 3), np.int64)]
    for column in range(start if second is None else 0, len(others.bits), _COLUMNS):
        part = others.part(column, column + _COLUMNS)
        size = signs.shape[1]
        equal = signs @ part.signs().T  # equal bits less differing ones
        least = size - 2 * limit
        hit = np.flatnonzero(equal.max(1) >= least)  # few rows have a pair: a mask of all takes a third of the time
        i, j = np.nonzero(equal[hit] >= least)
        i = hit[i]
        differing = ((size - equal[i, j]) / 2).astype(np.int64)
        apart = (rows.kinds[i] != part.kinds[j]).all(1)
        pairs = np.stack([start + i, column + j, differing], 1)[apart]
        found.append(pairs[pairs[:, 0] < pairs[:, 1]] if second is None else pairs)
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
