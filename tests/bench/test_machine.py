import time
from pathlib import Path

import pytest

from distill.bench.machine import LoadMeter, busy_warning, convolution, convolution_macs, describe_machine
from distill.tflite.complexity import tflite_complexity
from distill.tflite.serialization import read_model


def test_a_machine_is_described_without_the_users_folders() -> None:
    found = describe_machine()
    assert found["cores"] >= 1
    assert "ai-edge-litert" in found["versions"]
    assert str(Path.home()) not in str(found)


def test_own_work_is_not_taken_for_that_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise every run would call its own machine busy."""
    ticks = iter([100.0, 103.0])
    monkeypatch.setattr("distill.bench.machine._busy_seconds", lambda: next(ticks))
    own = iter([10.0, 13.0])
    monkeypatch.setattr("distill.bench.machine._own_seconds", lambda: next(own))
    meter = LoadMeter()
    time.sleep(0.01)
    load = meter.read()
    assert load["cores_used_by_others"] == 0
    assert busy_warning(load) is None


def test_a_busy_machine_is_named() -> None:
    assert "other processes used 1.8 cores" in str(busy_warning({"cores_used_by_others": 1.8}))
    assert busy_warning({"cores_used_by_others": None}) is None


def test_the_peaks_work_is_what_its_file_computes(tmp_path: Path) -> None:
    path = tmp_path / "peak.tflite"
    path.write_bytes(convolution(16, 32, 3))
    assert tflite_complexity(read_model(path)).macs == convolution_macs(16, 32, 3)
