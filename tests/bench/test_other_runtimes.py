import importlib.util
import sys
from pathlib import Path

import pytest

from distill.bench import other_runtimes
from distill.bench.key import Key
from distill.bench.models import open_model
from distill.bench.other_runtimes import choose_runtimes, slow_integer_lines
from distill.bench.result import Settings
from distill.bench.run import bench
from distill.errors import ConfigError
from distill.tflite.builder import constant, single_op_model, variable
from distill.tflite.flatbuffer import Table
from distill.tflite.integers import computes_in_integers
from distill.tflite.model import Operator
from distill.tflite.runtimes import Runtime

QUICK = Settings((1, 2), rounds=5, warmup=0)
PRESENT = [
    Runtime("litert", "2.3.0", "ai_edge_litert.interpreter", sys.executable),
    Runtime("tflite-runtime", "2.14.0", "tflite_runtime.interpreter", sys.executable),
    Runtime("tflite-runtime", "2.11.0", "tflite_runtime.interpreter", "/old/python"),
]


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_runtimes, "list_runtimes", lambda: PRESENT)
    monkeypatch.setattr(other_runtimes, "find_environment", lambda name: "/classic/python")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())


@pytest.mark.usefixtures("present")
def test_all_are_those_present_but_the_one_of_this_process() -> None:
    assert [str(runtime) for runtime in choose_runtimes(["all"])] == [
        "tflite-runtime 2.14.0", "tflite-runtime 2.11.0", "tensorflow 2.19.1",
    ]  # fmt: skip
    assert [runtime.python for runtime in choose_runtimes(["tflite-runtime-2.11.0"])] == ["/old/python"]
    assert len(choose_runtimes(["tflite-runtime", "tflite-runtime-2.14.0"])) == 2
    assert choose_runtimes([]) == choose_runtimes(["litert"]) == []
    with pytest.raises(ConfigError, match=r"no runtime 'tflite' on this machine: did you mean 'tflite-runtime-2.1"):
        choose_runtimes(["tflite"])


@pytest.mark.skipif(importlib.util.find_spec("ai_edge_litert") is None, reason="LiteRT is not installed")
def test_a_further_runtime_has_rows_in_the_same_rounds(
    small: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Runtime("tflite-runtime", "0.0", "ai_edge_litert.interpreter", sys.executable)
    broken = Runtime("tensorflow", "0.0", "no_such_module", sys.executable)
    monkeypatch.setattr(other_runtimes, "present_runtimes", lambda: [again, broken])
    found = bench([small, large], [], QUICK, stages=False, runtimes=["all"])
    rows = [key for key in found.timings if key.engine == "tflite-runtime 0.0"]
    assert [(key.name, key.threads) for key in rows] == [
        (name, threads) for name in ("small.tflite", "large.tflite") for threads in (1, 2)
    ]
    first = found.timings[Key("small.tflite", "model", 1)]
    assert found.timings[rows[2]].ratio == pytest.approx(found.timings[rows[2]].median_ms / first.median_ms)
    assert "it does not start" in found.skipped["small.tflite in tensorflow 0.0"]
    assert "tflite-runtime 0.0, 1 thread" in str(found)


def integer_file(folder: Path) -> Path:
    """An int8 form of `small`: a 3x3 convolution of 8 channels on 16x16."""
    image = variable("INT8", (1, 16, 16, 8))
    weights, bias = constant("INT8", (8, 3, 3, 8)), constant("INT32", (8,))
    options = Table("Conv2DOptions", {"padding": 0, "stride_w": 1, "stride_h": 1})
    path = folder / "small_int8.tflite"
    path.write_bytes(single_op_model(Operator("CONV_2D", (image, weights, bias), (image,), options)))
    return path


def test_integers_that_are_slower_than_floats_of_the_same_network_are_named(small: Path, tmp_path: Path) -> None:
    models = [open_model(small, "fp32"), open_model(integer_file(tmp_path), "int8")]
    assert [computes_in_integers(model.tflite) for model in models if model.tflite] == [False, True]
    old = "tflite-runtime 2.14.0"
    medians = {
        Key("fp32", "model", 1): 2.0, Key("int8", "model", 1): 1.0,
        Key("fp32", "model", 1, old): 2.5, Key("int8", "model", 1, old): 19.5,
    }  # fmt: skip
    assert slow_integer_lines(models, medians) == [
        f"int8 takes 7.8 x the time of fp32 in {old} on 1 thread: integers are slow there"
    ]


def test_without_a_float_file_the_own_runtime_is_compared(tmp_path: Path) -> None:
    models = [open_model(integer_file(tmp_path), "int8")]
    medians = {Key("int8", "model", 1): 1.0, Key("int8", "model", 1, "a"): 3.0, Key("int8", "model", 1, "b"): 1.5}
    assert slow_integer_lines(models, medians) == [
        "int8 takes 3.0 x its time in LiteRT in a on 1 thread: integers are slow there"
    ]
    assert slow_integer_lines(models, {Key("int8", "model", 1, "gpu"): 3.0}) == []
