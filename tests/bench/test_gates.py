"""The promises of scripts/bench/latency.py, on made-up times."""

from dataclasses import replace
from pathlib import Path

import pytest

from distill.bench.accuracy import Accuracies
from distill.bench.key import Key
from distill.bench.latency import Timing
from distill.bench.models import TimedModel, open_model
from distill.bench.result import BenchResult, Settings
from scripts.bench import latency as script


def made_up(model: TimedModel, times: dict[str, float]) -> BenchResult:
    models = tuple(replace(model, name=name) for name in times)
    timings = {Key(name, "model", 1): Timing(name, ms, 0, 0, 1) for name, ms in times.items()}
    return BenchResult(Settings(), models, {}, timings, {}, Accuracies({}, None), None, {"cores": 2}, {}, {})


def test_every_promise_is_checked(small: Path) -> None:
    times = {
        "student_128.safetensors": 10.0, "student_128_fp32.tflite": 4.0,
        "facemesh": 1.0, "student_128_int8.tflite": 2.0,
    }  # fmt: skip
    found = {gate.name: gate for gate in script.gates(made_up(open_model(small, "x"), times), [128])}
    assert found["128 px: LiteRT over PyTorch"].value == pytest.approx(0.4)
    assert found["128 px: LiteRT over PyTorch"].passed
    assert found["128 px: LiteRT over FaceMesh"].value == 4
    assert not found["128 px: LiteRT over FaceMesh"].passed
    assert found["128 px: operators"].value == 1
    assert found["student_128_int8.tflite over its fp32"].value == 0.5


def test_without_facemesh_its_gate_is_left_out(small: Path) -> None:
    times = {"student_256.safetensors": 10.0, "student_256_fp32.tflite": 4.0}
    names = [gate.name for gate in script.gates(made_up(open_model(small, "x"), times), [256])]
    assert names == ["256 px: LiteRT over PyTorch", "256 px: operators"]


def test_the_smallest_network_is_held_to_the_students_time_and_facemeshs(small: Path) -> None:
    times = {
        "student_256.safetensors": 10.0, "student_256_fp32.tflite": 4.0,
        "facemesh": 0.5, script.SMALLEST.name: 0.4,
    }  # fmt: skip
    found = {gate.name: gate for gate in script.gates(made_up(open_model(small, "x"), times), [256])}
    ours, peer = (found[f"{script.SMALLEST.name} over {name}"] for name in ("student_256_fp32.tflite", "facemesh"))
    assert (ours.value, ours.passed) == (0.1, True)
    assert (peer.value, peer.passed) == (0.8, True)
