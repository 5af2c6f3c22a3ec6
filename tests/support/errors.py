"""Assertions about error messages."""

import pytest

from distill.errors import DistillError


def assert_one_line(error: pytest.ExceptionInfo[DistillError], *parts: str) -> None:
    """Assert that a message is one short line that holds all parts."""
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 400
    for part in parts:
        assert part in text
