from pathlib import Path

import pytest

from distill.bench.machine import convolution
from distill.bench.memory import peak_memory
from distill.errors import CheckpointError


def test_memory_is_the_models_and_not_the_librarys(tmp_path: Path) -> None:
    """1024 x 1024 weights are 4.2 MB, which the runtime packs once more; its own 40 MB and numpy must not count."""
    path = tmp_path / "net.tflite"
    path.write_bytes(convolution(4, 1024, 1))
    used = peak_memory(path)
    if used is None:
        pytest.skip("this system does not tell the memory of a process")
    assert 4e6 < used < 20e6


def test_a_file_that_crashes_or_cannot_run_is_an_error_here(tmp_path: Path) -> None:
    """The damage is past what the reader of graphs looks at, in the bytes the runtime jumps to."""
    path = tmp_path / "net.tflite"
    path.write_bytes(b"\x10\0\0\0TFL3" + b"\xff" * 200)
    with pytest.raises(CheckpointError, match=r"net\.tflite"):
        peak_memory(path)


def test_a_model_that_takes_forever_is_stopped(small: Path) -> None:
    with pytest.raises(CheckpointError, match="no answer within"):
        peak_memory(small, timeout_s=0.01)
