import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.export.pipeline import ExportResult
from distill.tflite import runtimes
from distill.tflite.builder import constant, single_op_model, variable
from distill.tflite.flatbuffer import Table
from distill.tflite.model import Operator
from distill.tflite.runtimes import (
    OLD_PYTHON,
    Runtime,
    RuntimeFailure,
    RuntimeServer,
    list_runtimes,
    provide_runtime,
    run_in_child,
)
from tests.support.tiny_models import GAIN, SIZE, base_points, write_batched_tflite

LITERT = Runtime("litert", "2.3.0", "ai_edge_litert.interpreter", sys.executable)
CROPS = np.zeros((2, 64, 64, 3), np.float32)


def fake(tmp_path: Path, script: str) -> Runtime:
    """A `python` that does something else."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return Runtime("fake", "2.11.0", "nothing", str(python))


def made(tmp_path: Path) -> Path:
    """A file of several inputs and outputs, and of types no face network has."""
    path = tmp_path / "made.tflite"
    halves = (variable("INT32", (2, 2)),) * 2
    node = Operator(
        "SPLIT", (variable("INT32", ()), variable("INT32", (2, 4))), halves, Table("SplitOptions", {"num_splits": 2})
    )
    path.write_bytes(single_op_model(node))
    return path


@pytest.mark.parametrize("runtime", list_runtimes(), ids=str)
def test_a_good_model_gives_its_points(runtime: Runtime, exported: ExportResult) -> None:
    points = run_in_child(runtime, exported.files["fp32"], CROPS)
    assert isinstance(points, np.ndarray)
    assert points.shape == (2, 51, 3)  # with the confidence of each point
    np.testing.assert_array_equal(points[0], points[1])


@pytest.mark.parametrize("runtime", [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"], ids=str)
def test_a_file_of_a_fixed_batch_runs_any_number_of_inputs(runtime: Runtime, tmp_path: Path) -> None:
    crops = np.random.default_rng(0).random((5, SIZE, SIZE, 3), np.float32)
    points = run_in_child(runtime, write_batched_tflite(tmp_path / "b.tflite", 3), crops)
    assert isinstance(points, np.ndarray)
    np.testing.assert_allclose(points, base_points() + GAIN * crops.mean((1, 2, 3))[:, None, None], atol=1e-5)


def test_a_crash_is_an_answer(tmp_path: Path) -> None:
    failure = run_in_child(fake(tmp_path, "kill -SEGV $$"), made(tmp_path), CROPS)
    assert failure == RuntimeFailure("crash", "killed by SIGSEGV")


def test_a_hang_is_ended(tmp_path: Path) -> None:
    failure = run_in_child(fake(tmp_path, "exec sleep 60"), made(tmp_path), CROPS, timeout_s=0.3)
    assert failure == RuntimeFailure("timeout", "no answer within 0.3 s")


def test_too_little_memory_is_a_failure_of_the_child_only(exported: ExportResult) -> None:
    failure = run_in_child(LITERT, exported.files["fp32"], CROPS, memory=40 * 2**20)
    assert isinstance(failure, RuntimeFailure)


@pytest.mark.parametrize("runtime", [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"], ids=str)
def test_damaged_files_never_take_us_down(runtime: Runtime, exported: ExportResult, tmp_path: Path) -> None:
    """tflite-runtime 2.14 segfaults on files like these."""
    whole = exported.files["fp32"].read_bytes()
    for number, blob in enumerate((b"", whole[: len(whole) // 2], whole[:64] + b"\xff" * 4096 + whole[4160:])):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(blob)
        assert isinstance(run_in_child(runtime, path, CROPS, timeout_s=60), RuntimeFailure)


def test_the_reason_is_the_runtime_s_own(make_tflite) -> None:
    failure = run_in_child(LITERT, make_tflite(("RELU", 99)), CROPS)
    assert isinstance(failure, RuntimeFailure)
    assert failure.kind == "error"
    assert "RELU" in failure.text


def test_a_chosen_python_without_a_runtime_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OLD_PYTHON, str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match=f"{OLD_PYTHON}=.*absent.*pip install"):
        list_runtimes()


def test_older_releases_than_the_target_are_not_tried() -> None:
    assert LITERT.covers("2.14.0")
    assert not Runtime("tflite-runtime", "2.11.0", "", "").covers("2.14.0")
    assert Runtime("tflite-runtime", "2.11.0", "", "").covers("2.9.0")


def test_one_process_serves_many_files_of_any_interface(tmp_path: Path, exported: ExportResult) -> None:
    with RuntimeServer(LITERT) as server:
        assert server.load(exported.files["fp32"]) is None
        child = server._child
        assert server.load(made(tmp_path)) is None
        failure = server.load(Path(__file__))
        assert failure is not None
        assert failure.kind == "error"
        assert server.load(made(tmp_path)) is None
        assert server._child is child
    assert child is not None
    assert child.poll() is not None, "the child ends with its user"


def test_numbers_that_are_not_finite_are_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "log.tflite"
    entry = variable("FLOAT32", (1, 4))
    zero = constant("FLOAT32", (1, 4), [0.0] * 4)
    path.write_bytes(single_op_model(Operator("DIV", (entry, zero), (entry,), Table("DivOptions"))))
    with RuntimeServer(LITERT) as server:
        failure = server.load(path)
    assert failure == RuntimeFailure("error", "it returned numbers that are not finite")


def test_a_server_that_dies_is_replaced(tmp_path: Path) -> None:
    with RuntimeServer(fake(tmp_path, "exit 1")) as server:
        failure = server.load(made(tmp_path))
    assert failure is not None
    assert failure.kind == "crash"
    with RuntimeServer(LITERT) as server:
        assert server.load(made(tmp_path)) is None
        assert server._child is not None
        server._child.kill()
        server._child.wait()
        failure = server.load(made(tmp_path))
        assert failure is not None
        assert failure.kind == "crash"
        assert server.load(made(tmp_path)) is None


def test_a_model_that_wants_too_much_memory_or_time_is_ended(tmp_path: Path) -> None:
    """Two gigabytes of output from a file of half a kilobyte, and a limit of one."""
    path = tmp_path / "wide.tflite"
    entry = variable("FLOAT32", (1, 2**15, 1))
    path.write_bytes(
        single_op_model(Operator("MUL", (entry, variable("FLOAT32", (1, 1, 2**14))), (entry,), Table("MulOptions")))
    )
    with RuntimeServer(LITERT, memory=2**30) as server:
        assert server.load(path) is not None
    with RuntimeServer(LITERT, timeout_s=0.0001) as server:
        failure = server.load(made(tmp_path))
        assert failure is not None
        assert failure.kind == "timeout"


def test_litert_as_a_target_asks_only_litert() -> None:
    assert LITERT.covers("litert")
    assert not replace(LITERT, version="2.2.0").covers("litert-2.3.0")
    assert not Runtime("tflite-runtime", "2.14.0", "", "").covers("litert")


def test_2_11_is_provided_or_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "list_runtimes", lambda: [LITERT])
    monkeypatch.setattr(runtimes, "find_python", lambda versions: None)
    assert "no Python 3.9 is installed" in (provide_runtime("2.11.0") or "")
    assert provide_runtime("2.14.0") is None
    assert provide_runtime("litert") is None
    monkeypatch.setattr(runtimes, "find_python", lambda versions: "python3.9")
    monkeypatch.setenv("DISTILL_CACHE", "/absent")
    assert "tflite-runtime 2.11.0 are not installed" in (provide_runtime("2.11") or "")
    monkeypatch.setattr(runtimes, "list_runtimes", lambda: [Runtime("tflite-runtime", "2.11.0", "", "")])
    assert provide_runtime("2.11.0") is None
