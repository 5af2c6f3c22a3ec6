import sys
from pathlib import Path

import pytest

from distill.errors import CheckpointError
from distill.tflite.runtime_timer import RuntimeTimer
from distill.tflite.runtimes import Runtime, list_runtimes

LITERT = next((runtime for runtime in list_runtimes() if runtime.name == "litert"), None)
pytestmark = pytest.mark.skipif(LITERT is None, reason="LiteRT is not installed")


def test_calls_are_timed_in_the_other_process(small: Path, large: Path) -> None:
    assert LITERT is not None
    with RuntimeTimer(LITERT) as timer:
        numbers = [timer.load(path, 1) for path in (small, large)]
        assert numbers == [0, 1]
        fast, slow = (min(timer.milliseconds(number) for _ in range(5)) for number in numbers)
    assert 0 < fast < slow, "the large file has 250 times the work"


def test_a_file_that_the_runtime_refuses_is_one_line_and_the_process_goes_on(small: Path, tmp_path: Path) -> None:
    assert LITERT is not None
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\0\0\0\0TFL3" + b"\0" * 64)
    with RuntimeTimer(LITERT) as timer:
        with pytest.raises(CheckpointError, match=r"broken.tflite: litert .* cannot run it"):
            timer.load(broken, 1)
        assert timer.milliseconds(timer.load(small, 1)) > 0


def test_a_runtime_that_does_not_start_and_a_process_that_ends_are_told(small: Path) -> None:
    with pytest.raises(CheckpointError, match="none 1: it does not start"):
        RuntimeTimer(Runtime("none", "1", "no_such_module", sys.executable))
    assert LITERT is not None
    with RuntimeTimer(LITERT) as timer:
        timer.load(small, 1)
        timer._child.kill()
        timer._child.wait()
        with pytest.raises(CheckpointError, match="its process ended while it ran a model"):
            timer.milliseconds(0)
