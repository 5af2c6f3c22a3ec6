import pytest

from distill.bench.device.output import parse_output, reason_of
from tests.support.fake_devices import RECORDED


def text(*names: str) -> str:
    return "".join((RECORDED / f"{name}.txt").read_text() for name in names)


def test_times_memory_and_delegate_of_a_present_tool() -> None:
    found = parse_output(text("xnnpack"))
    assert found is not None
    assert (found.runs.count, found.runs.median_ms, found.runs.average_ms) == (134, 7.25, 7.45497)
    assert (found.warmup.count, found.warmup.first_ms) == (67, 8.781)
    assert (found.init_ms, found.memory_bytes) == (16.772, round(10.5 * 2**20))
    assert (found.delegated, found.nodes, found.operators) == ("all", (12, 12), ())


def test_a_tool_without_medians_and_prefixes_gives_the_average() -> None:
    found = parse_output(text("gpu_partial"))
    assert found is not None
    assert (found.runs.median_ms, found.runs.count) == (119.375, 50)
    assert found.delegated == "2 kernels"
    assert found.memory_bytes == round(138.809 * 2**20)


def test_runs_that_took_as_long_are_read() -> None:
    found = parse_output(text("nnapi_nothing"))
    assert found is not None
    assert (found.runs.median_ms, found.warmup.count, found.delegated) == (7.25, 1, "nothing")


def test_operators_inside_a_delegate_stand_for_the_delegate_and_initialization_does_not_count() -> None:
    found = parse_output(text("xnnpack", "profile"))
    assert found is not None
    assert [(row.type, row.ms) for row in found.operators] == [
        ("Convolution (NHWC, F32) IGEMM", 4.0), ("Convolution (NHWC, F32) GEMM", 2.49), ("Clamp (NC, F32)", 0.5),
        ("PAD", 0.01),
    ]  # fmt: skip
    assert sum(row.percent for row in found.operators) == pytest.approx(100)


def test_operators_of_a_profile_without_headings_of_phases() -> None:
    old = text("profile").partition("Operator-wise Profiling Info for Regular Benchmark Runs:\n")[2]
    found = parse_output(text("gpu_partial") + old.partition("Delegate internal")[0])
    assert found is not None
    assert [row.type for row in found.operators] == ["TfLiteXNNPackDelegate", "PAD"]


def test_output_that_ends_early_is_no_measurement() -> None:
    whole = text("xnnpack")
    assert parse_output(whole[: whole.index("count=134")]) is None
    assert parse_output("") is None


def test_the_reason_of_a_failure_is_the_error_before_the_last_words() -> None:
    assert reason_of(text("gpu_failed"), 1) == "Failed to apply GPU delegate."
    assert reason_of("INFO: STARTING!\nSegmentation fault\n", 139) == "killed by signal 11: Segmentation fault"
    assert reason_of("", 1) == "exit status 1"
