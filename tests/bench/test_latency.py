import time

import pytest
import torch

from distill.bench.latency import Acceptance, Timing, compare, one_thread


def test_models_take_turns_and_warm_up_is_not_timed() -> None:
    order = []

    def call(name: str, ms: float):
        def run() -> None:
            order.append(name)
            time.sleep(0.05 if len(order) <= 2 else ms / 1000)

        return run

    timings = compare({"a": call("a", 4), "b": call("b", 8)}, rounds=7, warmup=1)
    assert order == ["a", "b"] * 8
    assert timings["a"].median_ms == pytest.approx(4, abs=2)
    assert timings["a"].ratio == 1
    assert 1.2 < timings["b"].ratio < 2.6


def test_torch_gets_its_threads_back() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("ms", "spread", "verdict"), [(4.0, 0.0, "passed"), (6.0, 0.0, "FAILED"), (4.0, 0.2, "busy")])
def test_the_acceptance_line(ms: float, spread: float, verdict: str) -> None:
    timings = {"PyTorch": Timing("PyTorch", 10, 0, 0, 1), "TFLite fp32": Timing("TFLite fp32", ms, 0, spread, ms / 10)}
    line = str(Acceptance(timings, 0.5))
    assert verdict in line
    assert f"ratio {ms / 10:.3f} <= 0.5" in line
