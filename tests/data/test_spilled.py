"""Objects come back from the temporary file as they were, in any order."""

from pathlib import Path

import numpy as np
import pytest

from distill.data.spilled import Selected, Spilled


@pytest.mark.parametrize("in_memory", [0, 3, 100])
def test_it_is_the_list_of_its_items(in_memory: int) -> None:
    items = [(Path(f"{index}.jpg"), "x" * index) for index in range(9)]
    spilled = Spilled(items, in_memory)
    assert list(spilled) == items
    assert [spilled[index] for index in (8, 0, 5, -1)] == [items[index] for index in (8, 0, 5, -1)]
    spilled.append(items[0])  # after reading
    assert spilled[2:] == [*items, items[0]][2:]
    assert len(spilled) == 10
    with pytest.raises(IndexError):
        spilled[10]


def test_items_beyond_the_limit_are_not_kept() -> None:
    spilled = Spilled((np.zeros(1000) for _ in range(5)), in_memory=2)
    assert spilled[1] is spilled[1]
    assert spilled[2] is not spilled[2]


def test_selected_items() -> None:
    chosen = Selected("abcdef", np.array([1, 3, 4]))
    assert (len(chosen), list(chosen), chosen[-1], chosen[1:]) == (3, ["b", "d", "e"], "e", ["d", "e"])
