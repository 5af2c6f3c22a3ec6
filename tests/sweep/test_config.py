"""Options of a sweep that cannot work are refused before anything starts."""

from typing import Any

import pytest

from distill.errors import ConfigError
from distill.sweep.config import SweepConfig

SEARCH = {"optim.name": ["adamw", "sgd"]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"search": {}}, "--search is empty: .*configs/sweeps/student.yaml"),
        ({"trials": 0}, "--trials 0 must be at least 1"),
        ({"workers": 0}, "--workers 0 must be at least 1"),
        ({"prune_from": 0}, "--prune_from 0"),
        ({"search": {"name": ["a"]}}, "name is set by the sweep"),
        ({"options": {"resume": True}}, "resume is set by the sweep"),
    ],
)
def test_a_wrong_option_is_one_line(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        SweepConfig(**{"search": SEARCH, **wrong})
    assert "\n" not in str(caught.value)
