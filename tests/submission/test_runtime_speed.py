"""A package whose pinned runtime is slow on its model says so."""

from pathlib import Path

import pytest

from distill.submission.runtime_speed import slow_integers

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
PINNED = "numpy<2\ntflite-runtime==2.14.0\n"


@pytest.mark.parametrize(
    ("file", "requirements", "count"),
    [
        ("efld_51_128_int8.tflite", PINNED, 1),
        ("efld_51_128_int8.tflite", "ai-edge-litert\n", 0),
        ("student_68_128_fp16.tflite", PINNED, 0),
    ],
)
def test_only_integers_in_an_old_runtime_are_named(file: str, requirements: str, count: int) -> None:
    found = slow_integers(CHECKPOINTS / file, requirements)
    assert len(found) == count
    assert all("tflite-runtime==2.14.0 runs" in text for text in found)
