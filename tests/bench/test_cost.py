import pytest

from distill.bench.cost import ScoreRule, energy_mj
from distill.errors import ConfigError
from distill.tflite.complexity import Complexity

# The entry YUHS1: 0.08 GFLOPs and 2.25 MB.
ENTRY = Complexity(parameters=2_156_000, macs=40_000_000, bytes=2_250_000)


def test_the_score_is_the_contests() -> None:
    """19.30 %, 8.12 ms, 0.08 GFLOPs, 1.64 W, 2.25 MB give 8.05 by hand (7.78 with unrounded inputs)."""
    assert ScoreRule()(19.30, 8.12, ENTRY, 1.64) == pytest.approx(8.05, abs=0.01)


def test_halving_any_cost_doubles_the_score() -> None:
    base = ScoreRule()(70, 4, ENTRY, 2)
    assert base is not None
    assert ScoreRule()(70, 2, ENTRY, 2) == pytest.approx(2 * base)
    assert ScoreRule()(70, 4, ENTRY, 1) == pytest.approx(2 * base)
    assert ScoreRule()(70, 4, Complexity(0, ENTRY.macs // 2, ENTRY.bytes), 2) == pytest.approx(2 * base)
    assert ScoreRule()(70, 4, Complexity(0, ENTRY.macs, ENTRY.bytes // 2), 2) == pytest.approx(2 * base)


def test_references_divide_each_cost() -> None:
    rule = ScoreRule(time_ms=8.12, gflops=0.08, watts=1.64, megabytes=2.25)
    assert rule(19.30, 8.12, ENTRY, 1.64) == pytest.approx(19.30)
    with pytest.raises(ConfigError, match="reference watts of the score is 0"):
        ScoreRule(watts=0)


def test_a_model_without_known_costs_has_no_score() -> None:
    assert ScoreRule()(50, 1, Complexity(0, 0, 100), 1) is None


def test_energy_grows_with_time_power_and_threads() -> None:
    assert energy_mj(10, 1.64, 2) == pytest.approx(32.8)
