"""Near duplicates are searched in blocks: no pair is lost at their edges, none is found twice."""

import numpy as np
import pytest
from numpy.typing import NDArray

from distill.data.check.pairs import Hashes, close_pairs

_LIMIT = 10


def _hashes(seed: int, count: int) -> Hashes:
    rng = np.random.default_rng(seed)
    return Hashes(rng.integers(0, 256, (count, 4), dtype=np.uint8), rng.integers(0, 9, (count, 2)))


def _differing(first: Hashes, second: Hashes, i: int, j: int) -> int:
    return int(np.unpackbits(first.bits[i] ^ second.bits[j]).sum())


def _one_by_one(first: Hashes, second: Hashes, kinds: bool = True) -> list[tuple[int, int, int]]:
    return [
        (i, j, differing)
        for i in range(len(first.bits))
        for j in range(len(second.bits))
        if (differing := _differing(first, second, i, j)) <= _LIMIT
        and not (kinds and (first.kinds[i] == second.kinds[j]).any())
    ]


@pytest.mark.parametrize(("rows", "columns"), [(1024, 4096), (16, 7), (7, 16)])
def test_all_pairs_are_found_once_and_in_order(monkeypatch: pytest.MonkeyPatch, rows: int, columns: int) -> None:
    monkeypatch.setattr("distill.data.check.pairs._ROWS", rows)
    monkeypatch.setattr("distill.data.check.pairs._COLUMNS", columns)
    first, second = _hashes(0, 70), _hashes(1, 45)
    expected = _one_by_one(first, second)
    assert 5 < len(expected) < len(_one_by_one(first, second, kinds=False)), "some are of one kind"
    assert [tuple(pair) for pair in close_pairs(first, second, _LIMIT)] == expected
    within = [(i, j, bits) for i, j, bits in _one_by_one(first, first) if i < j]
    assert within
    assert [tuple(pair) for pair in close_pairs(first, None, _LIMIT)] == within


def test_a_difference_at_the_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(bits: NDArray[np.bool_], kind: int) -> Hashes:
        return Hashes(np.packbits(bits)[None], np.array([[kind]]))

    bits = np.random.default_rng(0).random(256) < 0.5
    for differing in (59, 60, 61):
        other = np.where(np.arange(256) < differing, ~bits, bits)
        found = [tuple(pair) for pair in close_pairs(of(bits, 0), of(other, 1), 60)]
        assert found == ([(0, 0, differing)] if differing <= 60 else [])
