import time
from pathlib import Path

import pytest
import torch

from distill.bench.latency import Acceptance, Timing, compare, onnx_call, tflite_call, torch_call, torch_threads_kept
from distill.errors import CheckpointError, ConfigError


def test_models_take_turns_and_neither_warm_up_nor_the_first_call_of_a_turn_is_timed() -> None:
    order: list[str] = []

    def call(name: str, ms: float):
        def run() -> None:
            order.append(name)
            untimed = len(order) <= 4 or len(order) % 2 == 1
            time.sleep(0.05 if untimed else ms / 1000)

        return run

    timings = compare({"a": call("a", 4), "b": call("b", 8)}, rounds=7, warmup=1)
    assert order == ["a", "a", "b", "b"] * 8
    assert timings["a"].median_ms == pytest.approx(4, abs=2)
    assert timings["a"].ratio == 1
    assert 1.2 < timings["b"].ratio < 2.6


def test_a_ratio_is_taken_to_the_reference_of_its_own_row() -> None:
    calls = {name: (lambda ms=ms: time.sleep(ms / 1000)) for name, ms in {"a": 2, "b": 4, "c": 12}.items()}
    timings = compare(calls, rounds=5, warmup=0, references={"c": "b"})
    assert timings["c"].ratio == pytest.approx(timings["c"].median_ms / timings["b"].median_ms)
    assert timings["b"].ratio == pytest.approx(timings["b"].median_ms / timings["a"].median_ms)


def test_a_drift_during_the_run_is_unstable() -> None:
    calls = iter(range(100))

    def slower() -> None:
        time.sleep(0.002 if next(calls) < 20 else 0.004)

    assert not compare({"a": slower}, rounds=20, warmup=0)["a"].stable


def test_too_few_rounds_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 5"):
        compare({"a": lambda: None}, rounds=4)
    with pytest.raises(ConfigError, match="at least one model"):
        compare({})


def test_torch_runs_on_the_requested_threads_and_gets_its_own_back() -> None:
    net, before, order = torch.nn.Conv2d(3, 4, 3), torch.get_num_threads(), []
    net.register_forward_hook(lambda *_: order.append(torch.get_num_threads()))
    with torch_threads_kept():
        torch_call(net, 16, threads=before + 1)()
        torch_call(net, 16, threads=1)()
    assert order == [before + 1, 1]
    assert torch.get_num_threads() == before


def test_a_file_with_two_outputs_runs(facemesh: Path) -> None:
    tflite_call(facemesh)()


def test_a_file_that_cannot_run_says_so_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(b"\0\0\0\0TFL3" + b"\0" * 64)
    with pytest.raises(CheckpointError, match="cannot run it") as error:
        tflite_call(path)
    assert "\n" not in str(error.value)
    path = tmp_path / "net.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(CheckpointError, match="not an ONNX model"):
        onnx_call(path)


@pytest.mark.parametrize(("ms", "spread", "verdict"), [(4.0, 0.0, "passed"), (6.0, 0.0, "FAILED"), (4.0, 0.2, "busy")])
def test_the_acceptance_line(ms: float, spread: float, verdict: str) -> None:
    timings = {"PyTorch": Timing("PyTorch", 10, 0, 0, 1), "TFLite fp32": Timing("TFLite fp32", ms, 0, spread, ms / 10)}
    line = str(Acceptance(timings, 0.5))
    assert verdict in line
    assert f"ratio {ms / 10:.3f} <= 0.5" in line
